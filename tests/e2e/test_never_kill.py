# SPDX-License-Identifier: GPL-2.0-only
"""Targets that a careless tracer kills, by a return probe or at a bad moment: nothing happens to them."""
import json
import os
import re
import shutil

import pytest

import traces
from exact import by_function, check_closed, check_exact, check_sites, live, losses, process_of, sites_of
from programs import START_SECONDS, WORK_SECONDS, json_documents

PATHS = pytest.mark.parametrize("path", ["session", "multi", "perf"])
NOBODY = 65534


def traced(lab, name, *args, options=()):
    """(leaktrace, truth) of a victim that has lived through all of it."""
    victim = lab.victim(name, *args)
    trace, truth = lab.observe(victim, *options)
    assert victim.finish() == 0, victim
    return trace, truth, victim.pid


def check_traced(lab, name, *args, options=()):
    trace, truth, pid = traced(lab, name, *args, options=options)
    assert trace.wait() == 0, trace
    check_exact(trace.document, pid, truth)
    return trace


def functions(document):
    """Names of the functions that are hooked, and the sentences about those that are not."""
    (process,) = document["processes"]
    return {name for module in process["hooked"] for name in module["functions"]}, \
        [left["reason"] for left in process["not_hooked"]]


def check_left_out(trace):
    """What is not hooked is told at once, too."""
    for reason in functions(trace.document)[1]:
        assert reason in trace.err.text, trace


# Functions that throw: a return probe on one ends the process, since nobody can unwind through its trampoline.


@PATHS
def test_new_throws(lab, need_attach_path, path):
    """Only operator new and delete are hooked; that of an array jumps to the other, where its blocks are counted."""
    need_attach_path(path)
    trace, truth, pid = traced(lab, "new_throws", options=("--attach-path", path, "--families", "c++"))
    assert trace.wait() == 0, trace
    assert truth["throws"] > 1000 and truth["retries"] > 100
    # A call that is left by an exception returns nothing, not even a failure.
    check_exact(trace.document, pid, {**truth, "failed": truth["failed"] - truth["throws"]})
    assert {"operator new", "operator delete"} <= functions(trace.document)[0]
    check_left_out(trace)


def test_new_throws_and_libc_is_hooked(lab):
    """The default. Exceptions are blocks, too, and those that failed ask malloc again."""
    trace, truth, pid = traced(lab, "new_throws")
    assert trace.wait() == 0, trace
    process = process_of(trace.document, pid)
    exceptions = process["allocs"] - truth["allocs"]
    assert truth["throws"] <= exceptions <= truth["failed"]
    check_exact(trace.document, pid, {**truth, "failed": truth["failed"] + truth["retries"],
                                      "allocs": process["allocs"], "frees": truth["frees"] + exceptions})


def test_new_throws_and_both_are_hooked(lab):
    trace, truth, pid = traced(lab, "new_throws", options=("--families", "libc,c++"))
    check_sites(trace.document, pid, truth)
    assert trace.wait() == 0, trace
    check_closed(trace.document)
    assert process_of(trace.document, pid)["allocs"] - truth["allocs"] <= truth["failed"]


# Returns seen at ret instructions, as where a return probe is not safe.


@PATHS
@pytest.mark.parametrize("case", [("ret_insns", "8"), ("longjmp_hook", "2000")], ids="-".join)
def test_ret_instructions(lab, need_attach_path, path, case):
    need_attach_path(path)
    trace, truth, pid = traced(lab, *case, options=("--attach-path", path, "--returns", "insns"))
    hooked, left_out = functions(trace.document)
    if not {"malloc", "realloc", "posix_memalign", "aligned_alloc"} <= hooked:
        pytest.skip(f"this libc has functions that cannot be hooked at ret instructions: {left_out}")
    assert trace.wait() == 0, trace
    check_exact(trace.document, pid, truth)
    check_left_out(trace)


@pytest.mark.parametrize("case", [("ret_insns", "1"), ("realloc_race_2threads", "3000"), ("realloc_null_tail_jump",),
                                  ("realloc_only_grow", "500")], ids="-".join)
def test_ret_instructions_by_session(lab, need_attach_path, case):
    test_ret_instructions(lab, need_attach_path, "session", case)


def test_ret_instructions_where_not_all_can_be_hooked(lab):
    """glibc's calloc ends in a jump through the PLT. The others are as exact as ever, and what is missing is said."""
    all_hooked, _ = functions(traced(lab, "libc_family", "4")[0].document)
    trace, truth, pid = traced(lab, "libc_family", "4", options=("--returns", "insns"))
    hooked, left_out = functions(trace.document)
    assert hooked | {re.match(r"(\S+) of ", reason)[1] for reason in left_out} == all_hooked
    check_left_out(trace)
    check_closed(trace.document)
    names = [f"by_{name}" for name in hooked - {"aligned_alloc", "memalign", "free"} if f"by_{name}" in truth["sites"]]
    assert "by_malloc" in names
    for name, found in by_function(sites_of(trace.document, pid), names).items():
        assert found == truth["sites"][name], name


# System call filters: a probed function returns by way of a system call.


@PATHS
def test_seccomp_filter(lab, need_attach_path, path):
    """A filter from before the trace that kills, and one from within it that denies."""
    need_attach_path(path)
    victims = [lab.victim("seccomp_filter", kill, late) for kill, late in ("10", "01")]
    trace = lab.start("-p", ",".join(str(v.pid) for v in victims), "--format", "json", "--audit", "--attach-path", path)
    trace.wait_tracing()
    for victim in victims:
        victim.go()
    truths = [victim.truth() for victim in victims]
    assert [victim.finish() for victim in victims] == [0, 0]
    status = trace.wait()
    if "seccomp filter" in trace.err.text:
        return  # returns are seen at ret instructions, where not all functions can be hooked: they have lived
    assert status == 0, trace
    check_closed(trace.document)
    for victim, truth in zip(victims, truths):
        check_sites(trace.document, victim.pid, truth)
        assert process_of(trace.document, victim.pid)["allocs"] == truth["allocs"]


# Signals and jumps.


@PATHS
def test_signal_handler_unwinds(lab, need_attach_path, path):
    need_attach_path(path)
    trace, truth, pid = traced(lab, "signal_unwinds", "50", options=("--attach-path", path))
    assert truth["walks"] > truth["jumps"] == 200
    assert trace.wait() == 0, trace
    check_exact(trace.document, pid, truth)


# Privileges.


@PATHS
def test_target_drops_privileges(lab, need_attach_path, path):
    need_attach_path(path)
    check_traced(lab, "privileges", NOBODY, options=("--attach-path", path))


def test_target_closes_its_files_in_proc(lab):
    check_traced(lab, "privileges", "0", "0")


@pytest.fixture
def setuid_program(lab):
    path = shutil.copy(lab.victim_path("privileges"), lab.tmp / "setuid_victim")
    if os.statvfs(lab.tmp).f_flag & os.ST_NOSUID:
        pytest.skip(f"{lab.tmp} is mounted nosuid")
    os.chown(path, NOBODY, -1)
    os.chmod(path, 0o4755)
    return path


@pytest.mark.parametrize("path", ["session", "perf"])
def test_setuid_program_is_run(lab, need_attach_path, setuid_program, path):
    need_attach_path(path)
    report = lab.tmp / "report.json"
    trace = lab.run("--attach-path", path, "--format", "json", "--audit", "-w", report, "--", setuid_program, "--now")
    assert trace.wait() == 0, trace
    truth = json.loads(re.search(r"^TRUTH (.*)$", trace.out.text, re.M)[1])
    assert (truth["uid"], truth["euid"]) == (0, NOBODY)
    (document,) = json_documents(report.read_text())
    (process,) = document["processes"]
    assert losses(document) == {}
    check_sites(document, process["pid"], truth)


def test_setuid_program_that_runs(lab, setuid_program):
    victim = lab.program(setuid_program)
    assert victim.out.wait_for(r"^READY", START_SECONDS), victim
    trace = lab.trace(victim)
    victim.send()
    truth = json.loads(victim.out.wait_for(r"^TRUTH (\{.*\})$", WORK_SECONDS)[1])
    assert truth["euid"] == NOBODY
    assert trace.stop() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    victim.send()
    assert victim.wait() == 0


def test_shadow_stack(lab):
    with open("/proc/cpuinfo", encoding="utf-8") as cpus:
        if "user_shstk" not in cpus.read():
            pytest.skip("this processor or kernel has no shadow stacks (user_shstk)")
    enabled = {**os.environ, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=SHSTK:glibc.cpu.x86_shstk=on"}
    victim = lab.victim("libc_family", "2", env=enabled)
    with open(f"/proc/{victim.pid}/status", encoding="utf-8") as status:
        if not re.search(r"^x86_Thread_features:.*shstk", status.read(), re.M):
            pytest.skip("this libc does not enable shadow stacks")
    lab.observe(victim)
    assert victim.finish() == 0


# Attached and detached at every moment.


def come_and_go(lab, cycles):
    """cycles: path → how often. Eight threads that check their memory are at work in the hooked functions all the time."""
    victim = lab.victim("churn", "8")
    victim.go()
    for path in (path for path, times in cycles.items() for _ in range(times)):
        # Names are not what is tested, and take the longest: one site will do.
        trace = lab.run("-p", victim.pid, "-d", "20ms", "--format", "json", "-T", "1", "--audit", "--attach-path", path)
        lab.programs.remove(trace)
        assert trace.wait() == 0 and losses(trace.document) == {}, trace
        assert trace.document["audit"] == live(process_of(trace.document, victim.pid))
        assert victim.is_running(), victim
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    victim.send()
    assert victim.truth()["least_turns"] > 0
    assert victim.finish() == 0


@pytest.mark.parametrize("path,cycles", [("session", 5), ("multi", 5), ("perf", 1)])
def test_detach_under_load(lab, need_attach_path, path, cycles):
    need_attach_path(path)
    come_and_go(lab, {path: cycles})


@pytest.mark.soak
@pytest.mark.parametrize("path,cycles", [("session", 1000), ("multi", 1000), ("perf", 20)])
def test_detach_under_load_for_long(lab, need_attach_path, path, cycles):
    need_attach_path(path)
    come_and_go(lab, {path: cycles})
