# SPDX-License-Identifier: GPL-2.0-only
"""Options that choose what is tracked and what is shown."""
import re

import pytest

from exact import losses, process_of, sites_of, sums


def leak(lab, *options, requests="40"):
    """(ended leaktrace, truth) of a program with blocks of 1024, 3000 and 10000 bytes, the middle ones freed."""
    victim = lab.victim("leak_o0", requests)
    trace, truth = lab.observe(victim, *options)
    assert trace.wait() == 0, trace
    assert victim.finish() == 0
    return trace, truth, victim.pid


@pytest.mark.parametrize("options,function", [(["-z", "1025"], "leaky_function"), (["-Z", "2K"], "fill_cache"),
                                              (["-z", "1024", "-Z", "1024"], "fill_cache")],
                         ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_sizes(lab, options, function):
    """What is left out is in no sum, and freeing it is no error."""
    trace, truth, pid = leak(lab, *options)
    assert sums(sites_of(trace.document, pid)) == truth["sites"][function] == trace.document["audit"]
    assert losses(trace.document) == {}
    assert {s["frames"][1]["symbol"] for s in trace.document["sites"] if s["live_blocks"]} == {function}


def test_top(lab):
    trace, _, pid = leak(lab, "-T", "1")
    assert [s["frames"][1]["symbol"] for s in trace.document["sites"]] == ["leaky_function"]
    # The process is shown whole.
    assert process_of(trace.document, pid)["live_blocks"] == 40 + 16


def test_addresses(lab):
    trace, truth, pid = leak(lab, "-a")
    for site in sites_of(trace.document, pid):
        blocks = site["blocks"] or []
        assert len(blocks) == site["live_blocks"]
        assert sum(b["size"] for b in blocks) == site["live_bytes"]
        assert len({b["address"] for b in blocks}) == len(blocks)
    assert sum(len(s["blocks"] or []) for s in trace.document["sites"]) == truth["live_blocks"]


EVENT = re.compile(r"^ *\d+\.\d{6} (\d+)/(\d+) ([-+!]) (\w+) (\d+|\?) (0x[0-9a-f]+|NULL)$", re.M)


@pytest.mark.parametrize("path", ["session", "multi", "perf"])
def test_every_event(lab, need_attach_path, path):
    """What comes and what goes adds up to what is left, and no call is missing."""
    need_attach_path(path)
    victim = lab.victim("libc_family", "8")
    trace = lab.start("-p", victim.pid, "-t", "--attach-path", path).wait_tracing()
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    events = EVENT.findall(trace.out.text)
    assert {e[0] for e in events} == {str(victim.pid)} and len({e[1] for e in events}) >= 8
    count = {mark: sum(1 for e in events if e[2] == mark) for mark in "+-!"}
    assert (count["+"], count["-"], count["!"]) == (truth["allocs"], truth["frees"], truth["failed"])
    total = {mark: sum(int(e[4]) for e in events if e[2] == mark) for mark in "+-"}
    assert total["+"] - total["-"] == truth["live_bytes"]
    # The report follows.
    assert re.search(r"^#1 ", trace.out.text, re.M)
    assert victim.finish() == 0


def test_events_in_order(lab):
    """In one thread each block comes before it goes, and goes before its address comes again."""
    victim = lab.victim("realloc_forms")
    trace = lab.start("-p", victim.pid, "-t").wait_tracing()
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    blocks = {}
    for _, _, mark, _, size, address in EVENT.findall(trace.out.text):
        if mark == "+":
            assert address not in blocks
            blocks[address] = size
        elif mark == "-":
            assert blocks.pop(address) == size
    assert (sum(map(int, blocks.values())), len(blocks)) == (truth["live_bytes"], truth["live_blocks"])
    assert victim.finish() == 0


def test_events_of_failed_calls(lab):
    victim = lab.victim("failures")
    trace = lab.start("-p", victim.pid, "-t").wait_tracing()
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    failed = [e for e in EVENT.findall(trace.out.text) if e[2] == "!"]
    assert len(failed) == truth["failed"] and {e[5] for e in failed} == {"NULL"}
    assert sum(1 for e in failed if (e[3], e[4]) == ("malloc", str(truth["huge"]))) == 10
    assert victim.finish() == 0


def test_reader_of_events_that_leaves(lab):
    victim = lab.victim("busy")
    victim.go()
    trace = lab.start_by("bash", "-c", '"$@" | head -n 1; exit ${PIPESTATUS[0]}', "bash", lab.leaktrace_path,
                         "-p", victim.pid, "-t")
    assert trace.wait() == 1 and "pipe" in trace.err.text, trace
    victim.send()
    victim.truth()
    assert victim.finish() == 0


def test_older(lab):
    """Nothing is an hour old after a second."""
    victim = lab.victim("leak_o0", "40")
    trace = lab.start("-p", victim.pid, "-o", "1h").wait_tracing()
    victim.go()
    victim.truth()
    assert trace.stop() == 0, trace
    assert "leaky_function" not in trace.out.text
    assert victim.finish() == 0


def test_shell_command(lab):
    trace = lab.run("-c", "echo from the shell; exit 3", "--format", "json", "-w", lab.tmp / "report.json")
    assert trace.wait() == 3, trace
    assert "from the shell" in trace.out.text


def test_quiet_and_verbose(lab):
    victim = lab.victim("leak_o0", "40")
    quiet = lab.run("-p", victim.pid, "-q", "-d", "300ms")
    assert quiet.wait() == 0 and quiet.err.text == "", quiet
    loud = lab.run("-p", victim.pid, "-v", "-d", "300ms")
    assert loud.wait() == 0 and all(line.startswith("leaktrace: ") for line in loud.err.lines), loud


@pytest.mark.parametrize("option", ["--help", "--version", "--usage"])
def test_help(lab, option):
    trace = lab.run(option)
    assert trace.wait() == 0 and trace.err.text == "" and "leaktrace" in trace.out.text, trace
    if option == "--version":
        assert re.fullmatch(r"leaktrace \d+\.\d+\S*\n", trace.out.text), trace


SPEC = "pool: alloc=pool_get(size=2) free=pool_put(ptr=2)"


def assert_wrong_usage(trace, words):
    """One line that has these words."""
    assert trace.wait() == 2 and trace.out.text == "", trace
    assert len(trace.err.lines) == 1 and trace.err.lines[0].startswith("leaktrace: "), trace
    assert words in trace.err.text and "--help" in trace.err.text, trace


@pytest.mark.parametrize("command", [["-p", "1"], ["doctor"]], ids=lambda command: command[0])
@pytest.mark.parametrize("options,words", [
    (["--allocator", "pool: allok=a"], "--allocator: 'allok' at character 7 is not known; alloc, calloc, realloc, alloc_at, "),
    (["--allocator", SPEC, "--allocator", "x: alloc=a(size=0)"], "'0' at character 17: arguments are counted from 1"),
    (["--allocator", "x: alloc=a(size=1"], "'(' at character 11 is not closed by ')'"),
    (["--allocator", "x: alloc=a"], "'x' at character 1: nothing in it releases"),
    (["--allocator=x: alloc=\033[2J free=f"], r"'\x1b' at character 10 cannot be in a function's name"),
    (["--allocator", ""], "a spec is empty"),
    (["--allocator", SPEC, "--allocator", SPEC], "'pool' is described already"),
    (["--allocator", "@/nonexistent/x"], "/nonexistent/x: No such file"),
    (["-O", "a.so", "-O", "b.so"], "-O is given twice"), (["-O", ""], "-O '': give a file"),
    (["-S", ""], "-S: the prefix is empty"), (["-S", "my_*"], "-S 'my_*': character 4 cannot be in a prefix"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_allocators(lab, command, options, words):
    assert_wrong_usage(lab.run(*command, *options), words)


def test_wrong_allocator_in_a_file(lab):
    specs = lab.tmp / "specs"
    specs.write_text(f"# of the server\n\n{SPEC}\n  x: alloc=a freee=f\n")
    assert_wrong_usage(lab.run("-p", "1", "--allocator", f"@{specs}"), f"{specs}, line 4: 'freee' at character 14 is not known")


def test_right_allocators(lab):
    """They are taken: what is wrong is the next option."""
    specs = lab.tmp / "specs"
    specs.write_text(f"{SPEC} # of the server\n\nx: alloc=libx.so+0x10 reset=y*\n")
    for command in (["-p", "1"], ["doctor"]):
        trace = lab.run(*command, "--allocator", f"@{specs}", "--allocator=y: realloc=a free=b nothrow", "-O", "libx.so", "-S",
                        "my_", "--symbols-prefix=your_", "--object", "")
        assert_wrong_usage(trace, "-O '': -O is given twice")
