# SPDX-License-Identifier: GPL-2.0-only
"""Debuggers in a process that is traced: their breakpoints are the same byte as a probe."""
import os
import re
import shutil
import signal
import time

import pytest

import traces
from exact import check_exact
from programs import START_SECONDS


class Debugger:
    """gdb, attached. The victim runs in go() and is stopped again by a signal that it never gets."""

    def __init__(self, lab, victim, *commands):
        if not shutil.which("gdb"):
            pytest.skip("gdb is not installed")
        self.victim = victim
        self.gdb = lab.program("gdb", "-q", "-nx", "-p", victim.pid)
        self.answers = 0
        self.do("set pagination off", "set confirm off", "set debuginfod enabled off", "handle SIGUSR1 stop nopass",
                *commands)

    def do(self, *commands):
        """What gdb says to these."""
        begin, self.answers = len(self.gdb.out.text), self.answers + 1
        self.gdb.send("".join(f"{line}\n" for line in (*commands, f"echo ANSWERED {self.answers}.\\n")))
        assert self.gdb.out.wait_for(rf"ANSWERED {self.answers}\.", START_SECONDS), self.gdb
        return self.gdb.out.text[begin:]

    def go(self):
        self.gdb.send("continue\n")
        assert traces.poll(self.victim_stopped, False) is False, self.gdb

    def victim_stopped(self):
        with open(f"/proc/{self.victim.pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(") ", 1)[1][0] == "t"

    def halt(self):
        os.kill(self.victim.pid, signal.SIGUSR1)
        self.do()

    def leave(self):
        self.do("detach")
        self.gdb.send("quit\n")
        assert self.gdb.wait() == 0, self.gdb


def test_gdb_with_breakpoints_elsewhere(lab):
    """Set before the trace, hit all through it, there after it."""
    victim = lab.victim("leak_o0", "300")
    gdb = Debugger(lab, victim, "set $hits = 0", "break handle_request if ($hits = $hits + 1) < 0")
    gdb.go()
    trace = lab.trace(victim)
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    gdb.halt()
    assert "= 300" in gdb.do("print $hits")
    gdb.leave()
    assert traces.changed_code(victim.pid) == []
    assert victim.finish() == 0


def test_gdb_comes_and_goes(lab):
    """As when someone looks at the stacks of a process that is being traced."""
    victim = lab.victim("busy")
    trace = lab.trace(victim)
    probes = sorted(traces.changed_code(victim.pid))
    victim.go()
    for _ in range(2):
        gdb = Debugger(lab, victim)
        assert "busy.c" in gdb.do("backtrace")
        gdb.go()
        time.sleep(0.1)
        gdb.halt()
        gdb.leave()
    victim.send()
    truth = victim.truth()
    assert sorted(traces.changed_code(victim.pid)) == probes
    assert trace.stop() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    assert victim.finish() == 0


def changes_in_libc(pid):
    """Breakpoints, and probes: (file, offset in it) of each."""
    places = [place.rsplit("+", 1) for place in traces.changed_code(pid)]
    return [(path, int(offset, 16)) for path, offset in places if os.path.basename(path).startswith("libc")]


def probes_in_libc(lab, name):
    victim = lab.victim(name)
    trace = lab.trace(victim)
    places = changes_in_libc(victim.pid)
    assert trace.stop() == 0 and victim.kill() is None
    return places


def test_gdb_with_a_breakpoint_where_a_probe_would_be(lab):
    places = probes_in_libc(lab, "leak_o0")
    victim = lab.victim("leak_o0", "50")
    gdb = Debugger(lab, victim)
    pointers = [traces.address(victim.pid, *place) for place in places]
    (malloc,) = (p for p in pointers if re.search(r"(?<![a-z])malloc\b", gdb.do(f"info symbol {p:#x}").split(" in ")[0]))
    gdb.do(f"break *{malloc:#x}")
    gdb.go()
    # That one, and gdb's own in the loader.
    before = sorted(traces.changed_code(victim.pid))
    assert [traces.address(victim.pid, *place) for place in changes_in_libc(victim.pid)] == [malloc]
    trace = lab.run("-p", victim.pid)
    assert trace.wait() == 1 and len(trace.complaints) == 1, trace
    assert re.search(rf"debugged by process {gdb.gdb.pid} .*breakpoint at malloc of libc", trace.complaints[0]), trace
    # A leaktrace that leaves another process takes everything away, here too, that looks like one of its probes.
    if not traces.running("leaktrace"):
        assert sorted(traces.changed_code(victim.pid)) == before
    gdb.halt()
    gdb.do("delete")
    gdb.go()
    trace = lab.trace(victim)
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    gdb.halt()
    gdb.leave()
    assert traces.changed_code(victim.pid) == []
    assert victim.finish() == 0


def test_under_strace(lab):
    """Another ptracer, which stops each thread at each system call."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    victim = lab.victim("threads8", "4", "200")
    strace = lab.program("strace", "-f", "-o", "/dev/null", "-p", victim.pid)
    assert strace.err.wait_for(r"attached", START_SECONDS), strace
    trace, truth = lab.observe(victim)
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    strace.signal(signal.SIGINT)
    strace.wait()
    assert victim.finish() == 0


def test_stopped_by_gdb(lab):
    """Its breakpoints are not in the memory then, so nobody knows where they are."""
    victim = lab.victim("leak_o0", "50")
    gdb = Debugger(lab, victim)
    trace = lab.run("-p", victim.pid)
    assert trace.wait() == 1 and len(trace.complaints) == 1, trace
    assert re.search(rf"stopped by its debugger, process {gdb.gdb.pid}\b", trace.complaints[0]), trace
    gdb.leave()
    assert traces.changed_code(victim.pid) == []
    victim.go()
    victim.truth()
    assert victim.finish() == 0


def test_gdb_that_leaves_last(lab):
    """It takes leaktrace's probe in the loader for the program's own code, and would put it back: dlopen() would kill."""
    victim = lab.victim("dlopen_close", "0")
    trace = lab.trace(victim)
    gdb = Debugger(lab, victim)
    gdb.go()
    trace.signal(signal.SIGINT)
    assert trace.err.wait_for(rf"being debugged by process {gdb.gdb.pid}, .*Waiting", START_SECONDS), trace
    # The report is there, and leaktrace is, too.
    assert trace.out.wait_for(r"^}$", START_SECONDS), trace
    assert trace.document["processes"][0]["pid"] == victim.pid
    time.sleep(0.3)
    assert trace.is_running()
    gdb.halt()
    gdb.leave()
    assert trace.wait() == 0, trace
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    victim.go()
    victim.truth()
    assert victim.finish() == 0


def test_leaving_at_once(lab):
    victim = lab.victim("leak_o0", "50")
    trace = lab.trace(victim)
    gdb = Debugger(lab, victim)
    gdb.go()
    trace.signal(signal.SIGINT)
    assert trace.err.wait_for("Waiting for the debugger", START_SECONDS), trace
    trace.signal(signal.SIGINT)
    assert trace.wait() == 0, trace
