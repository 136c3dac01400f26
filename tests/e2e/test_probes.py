# SPDX-License-Identifier: GPL-2.0-only
"""Where probes sit, and how they got there."""
import os
import re
import subprocess

import pytest

import traces
from exact import check_exact, live, process_of
from foreign import file_offset

PATHS = ("session", "multi", "perf")


def check_traced(lab, name, *args, options=()):
    victim = lab.victim(name, *args)
    trace, truth = lab.observe(victim, *options)
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert victim.finish() == 0
    return trace, process_of(trace.document, victim.pid)


def function_hits(trace):
    """Which functions were called how often, whatever the addresses."""
    return sorted((site["function"], site["total_allocs"], site["total_frees"], site["failed_allocs"], site["live_bytes"],
                   [frame["symbol"] for frame in site["frames"]]) for site in trace.document["sites"])


def test_all_attach_paths_see_the_same(lab, need_attach_path):
    seen = []
    for path in PATHS:
        need_attach_path(path)
        trace, process = check_traced(lab, "libc_family", "1", options=("--attach-path", path))
        assert re.search(rf"^leaktrace: tracing .* functions of \S+, by {path};", trace.err.text, re.M), trace
        assert trace.document["attach_path"] == path
        seen.append((live(process), process["allocs"], process["frees"], process["hooked"], function_hits(trace)))
    assert seen[0] == seen[1] == seen[2]


def without(lab, folder, *options):
    """leaktrace from start to end, for which a folder of the system is empty."""
    victim = lab.victim("leak_o0")
    script = 'mount -t tmpfs none "$1" && shift && exec "$@"'
    trace = lab.start_by("unshare", "--mount", "sh", "-c", script, "sh", folder, lab.leaktrace_path, "-p", victim.pid,
                         "-d", "100ms", *options)
    trace.wait()
    assert victim.is_running() and traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    return trace


def test_path_that_does_not_work_is_an_error(lab):
    """Perf uprobes are found by way of sysfs. With -v each path that was tried says why it does not work."""
    trace = without(lab, "/sys/bus/event_source", "-v", "--attach-path", "perf")
    assert trace.wait() == 1, trace
    assert re.search(r"^leaktrace: attach path perf does not work here: .+", trace.err.text, re.M), trace
    assert re.search(r"by the path perf: .+", trace.complaints[-1]), trace


def test_unknown_path(lab):
    trace = lab.run("-p", os.getpid(), "--attach-path", "kprobe")
    assert trace.wait() == 2 and len(trace.complaints) == 1, trace
    assert "session, multi and perf" in trace.complaints[0], trace


def dynamic_functions(path):
    """name → (offset in the file, size)"""
    output = subprocess.run(["readelf", "-W", "--segments", "--dyn-syms", path], capture_output=True, text=True, check=True,
                            timeout=60).stdout
    segments = [[int(word, 16) for word in match]
                for match in re.findall(r"^ +LOAD +(0x\S+) (0x\S+) 0x\S+ (0x\S+)", output, re.M)]
    found = {}
    for value, size, name in re.findall(r"^ *\d+: (\w+) +(\d+) (?:FUNC|IFUNC) .* (?!UND)\w+ (\w+)", output, re.M):
        at = int(value, 16)
        found.update({name: (at - start + offset, int(size)) for offset, start, length in segments
                      if start <= at < start + length})
    return found


def byte(pid, path, offset):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(traces.address(pid, path, offset))
        return memory.read(1)[0]


def begins_with_a_test(path, name):
    """Does a function begin with: is its argument NULL? (test %rdi,%rdi; je, in front of it perhaps endbr64.)"""
    with open(path, "rb") as file:
        file.seek(dynamic_functions(path)[name][0])
        code = file.read(32).removeprefix(b"\xf3\x0f\x1e\xfa")
    return code.startswith(b"\x48\x85\xff") and (code[3:4] == b"\x74" or code[3:5] == b"\x0f\x84")


@pytest.mark.parametrize("path", PATHS)
def test_probes_are_where_they_are_planned(lab, need_attach_path, path):
    need_attach_path(path)
    victim = lab.victim("leak_o0")
    trace = lab.trace(victim, "--attach-path", path)
    changed = [place.rsplit("+", 1) for place in traces.changed_code(victim.pid)]
    places = [(file, int(offset, 16)) for file, offset in changed]
    assert {byte(victim.pid, *place) for place in places} == {0xcc}
    victim.go()
    victim.truth()
    assert trace.stop() == 0, trace
    (module,) = process_of(trace.document, victim.pid)["hooked"]
    assert module["family"] == "libc"
    functions = dynamic_functions(module["path"])
    # One in each function, and one more for the notices of the loader.
    in_libc = {offset for file, offset in places if file == module["path"]}
    for name in module["functions"]:
        start, size = functions[name]
        (place,) = (offset for offset in in_libc if start <= offset < start + size)
        if name == "free" and begins_with_a_test(module["path"], name):
            assert place > start
    assert len(in_libc) == len(module["functions"])
    ((loader, notice),) = ((file, offset) for file, offset in places if file != module["path"])
    assert notice == dynamic_functions(loader)["_dl_debug_state"][0]
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    assert victim.finish() == 0


def test_free_of_nothing_costs_nothing(lab):
    victim = lab.victim("null_frees", "10000")
    trace, truth = lab.observe(victim)
    assert trace.wait() == 0 and victim.finish() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    (module,) = process_of(trace.document, victim.pid)["hooked"]
    if not begins_with_a_test(module["path"], "free"):
        pytest.skip("this libc's free does not begin with a test for NULL")
    assert trace.document["overhead"]["probe_hits"] <= 3 * truth["allocs"]


@pytest.mark.parametrize("path", ["session", "perf"])
def test_code_for_control_flow_protection(lab, need_attach_path, path):
    """Its functions begin with endbr64, which the kernel single-steps."""
    need_attach_path(path)
    victim = lab.victim("endbr64")
    trace = lab.trace(victim, "--attach-path", path)
    places = [int(place.rsplit("+", 1)[1], 16) for place in traces.changed_code(victim.pid)]
    # Behind the first instruction there is one that the kernel emulates.
    assert file_offset(victim.command[0], "malloc") + 4 in places
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert victim.finish() == 0
