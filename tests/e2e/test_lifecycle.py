# SPDX-License-Identifier: GPL-2.0-only
"""How a trace begins and ends, and what the target notices of it: nothing."""
import json
import os
import re
import signal
import time

import pytest

import traces
from exact import check_closed, check_exact, check_sites, live, losses, process_of, sites_of
from programs import START_SECONDS, json_documents


def run_command(lab, *command):
    """leaktrace in front of a command; the report in a file, since the command has its own output."""
    report = lab.tmp / "report.json"
    trace = lab.start("--format", "json", "--audit", "-w", report, "--", *command)
    status = trace.wait()
    return trace, status, json_documents(report.read_text()) if report.exists() else []


def test_command_from_its_first_instruction(lab):
    trace, status, documents = run_command(lab, lab.victim_path("now_ctor"), "--now", "--exit=7")
    assert status == 7, trace
    truth = json.loads(re.search(r"^TRUTH (.*)$", trace.out.text, re.M)[1])
    (document,) = documents
    (process,) = document["processes"]
    assert losses(document) == {}
    check_closed(document)
    check_sites(document, process["pid"], truth)
    assert truth["sites"]["before_main"]["blocks"] == 7
    assert process["frees_untracked"] == 0
    assert (process["ended"], os.path.basename(process["exe"])) == ("exit", "now_ctor")
    assert document["end_reason"]


def test_commands_beside_another_trace(lab):
    """Its return probes reach into the loader of the command, by way of the kernel's own page."""
    lab.trace(lab.victim("busy"))
    for _ in range(8):
        trace, status, documents = run_command(lab, "ls", "/")
        assert status == 0 and documents[0]["processes"][0]["allocs"], trace


@pytest.mark.parametrize("command,status", [(["true"], 0), (["sh", "-c", "exit 3"], 3),
                                            (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM)],
                         ids=["success", "failure", "signal"])
def test_status_of_the_command_is_passed_on(lab, command, status):
    trace, found, documents = run_command(lab, *command)
    assert found == status and len(documents) == 1, trace


@pytest.mark.parametrize("command", [["/nonexistent/program"], ["no-such-command-anywhere"], ["/etc/passwd"]],
                         ids=["no file", "not in PATH", "not executable"])
def test_command_that_cannot_be_run(lab, command):
    trace = lab.run("--", *command)
    assert trace.wait() == 1 and len(trace.complaints) == 1, trace
    assert re.search(re.escape(command[0]) + r"'.*; (check|choose)", trace.complaints[0]), trace


@pytest.mark.first_light
def test_target_that_ends_ends_the_trace(lab):
    victim = lab.victim("libc_family", "--exit=5")
    trace = lab.trace(victim)
    victim.go()
    victim.truth()
    assert victim.finish() == 5
    assert trace.wait() == 0, trace
    process = process_of(trace.document, victim.pid)
    assert process["ended"] == "exit"
    assert trace.document["final"] and trace.document["end_reason"]
    check_closed(trace.document)
    # Names still come, although the process is gone.
    assert any(f["symbol"] == "by_malloc" for s in sites_of(trace.document, victim.pid) for f in s["frames"])


def test_target_killed(lab):
    victim = lab.victim("busy")
    trace = lab.trace(victim)
    victim.go()
    time.sleep(0.5)
    victim.kill()
    assert trace.wait() == 0, trace
    assert process_of(trace.document, victim.pid)["ended"] == "exit"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_with_a_report(lab, number):
    victim = lab.victim("leak_o0", "50")
    trace = lab.trace(victim)
    victim.go()
    truth = victim.truth()
    assert trace.stop(number) == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert trace.document["final"]
    assert victim.finish() == 0


def test_signal_before_the_trace_began(lab):
    """Ctrl-C at any moment of the start: no crash, no hang, nothing left."""
    victim = lab.victim("busy")
    victim.go()
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        trace = lab.start("-p", victim.pid, "--format", "json")
        time.sleep(delay)
        assert trace.stop() in (0, 1, -signal.SIGINT, 128 + signal.SIGINT), trace
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    victim.send()
    victim.truth()
    assert victim.finish() == 0


def test_duration(lab):
    victim = lab.victim("leak_o0", "50")
    began = time.monotonic()
    trace = lab.trace(victim, "-d", "2s")
    victim.go()
    truth = victim.truth()
    assert trace.wait() == 0, trace
    assert 2 <= trace.document["duration_s"] < 10 and time.monotonic() - began >= 2
    check_exact(trace.document, victim.pid, truth)
    assert victim.finish() == 0


def test_interval_and_count(lab):
    """One document a line and a window, and the last one is final."""
    victim = lab.victim("leak_o0", "1000000", "1000")
    trace = lab.start("-p", victim.pid, "--format", "json", "500ms", "3").wait_tracing()
    victim.go()
    assert trace.wait() == 0, trace
    documents = [json.loads(line) for line in trace.out.lines]
    assert [d["windows"] for d in documents] == [1, 2, 3]
    assert [d["final"] for d in documents] == [False, False, True]
    assert all(d["interval_s"] == 0.5 for d in documents)
    live_bytes = [process_of(d, victim.pid)["live_bytes"] for d in documents]
    assert live_bytes == sorted(live_bytes) and live_bytes[0] < live_bytes[2]
    victim.kill()


def test_rising_site(lab):
    """A leak that goes on is seen to rise in every window, and no more than that is claimed yet."""
    victim = lab.victim("leak_o0", "1000000", "1000")
    trace = lab.start("-p", victim.pid, "--format", "json", "500ms", "9").wait_tracing()
    victim.go()
    assert trace.wait() == 0, trace
    (first,) = (s for s in trace.document["sites"] if s["rank"] == 1)
    assert first["frames"][1]["symbol"] == "leaky_function"
    assert first["rises"] >= 5 and first["falls"] == 0 and first["rising"]
    assert (first["class"], first["growing"], first["confidence"]) == ("unknown", None, None)
    cache = [s for s in trace.document["sites"] if s["frames"][1]["symbol"] == "fill_cache"]
    assert [s["rising"] for s in cache] == [False]
    victim.kill()


def test_several_pids(lab):
    victims = [lab.victim("libc_family"), lab.victim("leak_o0", "70"), lab.victim("musl_family")]
    pids = ",".join(str(v.pid) for v in victims)
    trace = lab.start("-p", pids, "--format", "json", "--audit").wait_tracing()
    truths = []
    for victim in victims:
        victim.go()
        truths.append(victim.truth())
    assert trace.stop() == 0, trace
    assert sorted(p["pid"] for p in trace.document["processes"]) == sorted(v.pid for v in victims)
    assert losses(trace.document) == {}
    check_closed(trace.document)
    for victim, truth in zip(victims, truths):
        process = process_of(trace.document, victim.pid)
        assert live(process) == {"bytes": truth["live_bytes"], "blocks": truth["live_blocks"]}
        check_sites(trace.document, victim.pid, truth)
        assert victim.finish() == 0


def test_same_pid_twice_is_one_target(lab):
    victim = lab.victim("libc_family")
    trace = lab.start("-p", f"{victim.pid},{victim.pid}", "--format", "json", "--audit").wait_tracing()
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert victim.finish() == 0


def test_one_of_several_targets_ends(lab):
    short, long = lab.victim("leak_o0", "10"), lab.victim("leak_o0", "20")
    trace = lab.start("-p", f"{short.pid},{long.pid}", "--format", "json", "--audit").wait_tracing()
    short.go()
    short.truth()
    assert short.finish() == 0
    long.go()
    truth = long.truth()
    assert trace.is_running()
    assert trace.stop() == 0, trace
    assert process_of(trace.document, short.pid)["ended"] == "exit"
    assert live(process_of(trace.document, long.pid))["bytes"] == truth["live_bytes"]
    check_closed(trace.document)
    assert long.finish() == 0


@pytest.mark.first_light
@pytest.mark.parametrize("path", ["session", "multi", "perf"])
def test_leaktrace_killed(lab, need_attach_path, path):
    """SIGKILL in the middle: the victim runs on, unprobed and unharmed."""
    need_attach_path(path)
    victim = lab.victim("busy")
    trace = lab.trace(victim, "--attach-path", path)
    assert traces.changed_code(victim.pid) != [], "no probes: this test would prove nothing"
    victim.go()
    time.sleep(1)
    trace.signal(signal.SIGKILL)
    assert trace.wait() == -signal.SIGKILL
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    time.sleep(0.5)
    victim.send()
    assert victim.truth()["turns"] > 0
    assert victim.finish() == 0


def test_coming_and_going(lab):
    """Attached and detached again and again while the victim is hard at work in the hooked functions."""
    victim = lab.victim("busy")
    victim.go()
    for _ in range(8):
        trace = lab.trace(victim)
        time.sleep(0.3)
        assert trace.stop() == 0, trace
        check_closed(trace.document)
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    victim.send()
    victim.truth()
    assert victim.finish() == 0


def test_target_becomes_another_program(lab):
    victim = lab.program(lab.victim_path("exec_other"), "/bin/sh", "-c", "echo changed; read x; exit 0")
    assert victim.out.wait_for("^READY", START_SECONDS)
    trace = lab.trace(victim)
    victim.send()
    assert victim.out.wait_for("^changed", START_SECONDS)
    victim.send()
    assert victim.wait() == 0
    assert trace.wait() == 0, trace
    assert "exec" in [p["ended"] for p in trace.document["processes"]]
    assert process_of(trace.document, victim.pid)["comm"] == "sh"
    assert not any(f["symbol"] == "by_malloc" for s in trace.document["sites"] for f in s["frames"])
    check_closed(trace.document)


def test_programs_that_are_gone_before_anyone_asks(lab):
    """leaktrace sleeps while its target becomes other programs and ends: each still has its name."""
    victim = lab.program(lab.victim_path("exec_other"), "/bin/sh", "-c", "exec env true")
    assert victim.out.wait_for("^READY", START_SECONDS)
    trace = lab.trace(victim)
    trace.signal(signal.SIGSTOP)
    victim.send()
    assert victim.wait() == 0
    trace.signal(signal.SIGCONT)
    assert trace.wait() == 0, trace
    found = [(p["comm"], p["ended"]) for p in trace.document["processes"]]
    assert found == [("exec_other", "exec"), ("sh", "exec"), ("env", "exec"), ("true", "exit")]
    assert len({p["start_time"] for p in trace.document["processes"]}) == 1
    check_closed(trace.document)


def test_target_becomes_a_program_without_allocator(lab):
    victim = lab.program(lab.victim_path("exec_other"), lab.victim_path("no_libc"))
    assert victim.out.wait_for("^READY", START_SECONDS)
    trace = lab.trace(victim)
    victim.send()
    assert traces.poll(lambda: open(f"/proc/{victim.pid}/comm", encoding="ascii").read(), "no_libc\n") == "no_libc\n"
    assert trace.stop() == 0, trace
    assert sum(p["live_blocks"] for p in trace.document["processes"]) == 0
    assert trace.document["sites"] == []


THREADS = "import os, threading, time; [threading.Thread(target=time.sleep, args=(60,), daemon=True).start() for _ in '1234'];"


@pytest.mark.parametrize("path", ["session", "perf"])
@pytest.mark.parametrize("end", ["os._exit(5)", "os.kill(os.getpid(), 9)",
                                 "threading.Thread(target=os.execlp, args=('sh', 'sh', '-c', 'exit 5')).start(); time.sleep(60)"],
                         ids=["exit", "kill", "exec by another thread"])
def test_all_threads_end_at_once(lab, need_attach_path, path, end):
    """The first thread is often the first to go then, which is neither a reason to warn nor a loss."""
    need_attach_path(path)
    report = lab.tmp / "report.json"
    trace = lab.start("--attach-path", path, "--format", "json", "-w", report, "--", "/usr/bin/python3", "-c", THREADS + end)
    assert trace.wait() == (128 + signal.SIGKILL if "kill" in end else 5), trace
    assert "warning" not in trace.err.text, trace
    (document,) = json_documents(report.read_text())
    assert document["losses"]["leaders_gone"] == 0


def test_first_thread_ends_and_others_work_on(lab):
    """Kernels filter by the first thread's memory: once it is gone, another tracer that leaves takes our probes away."""
    if traces.running("leaktrace"):
        pytest.skip("another leaktrace runs on this machine")
    victim = lab.victim("leader_exits")
    trace, truth = lab.observe(victim)
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert process_of(trace.document, victim.pid)["ended"] is None
    victim.finish()


@pytest.mark.first_light
def test_target_in_a_container(lab):
    """Another pid namespace, another mount namespace, another view of its own files."""
    inner = lab.tmp / "victim-of-container"
    script = 'mount -t tmpfs none "$0" && cp "$1" "$0/program" && exec "$0/program"'
    inner.mkdir()
    outer = lab.program("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, inner,
                        lab.victim_path("leak_o0"))
    assert outer.out.wait_for(r"^READY pid=1$", START_SECONDS), outer
    (pid,) = traces.children(outer.pid)
    trace = lab.start("-p", pid, "--format", "json", "--audit").wait_tracing()
    outer.send()
    match = outer.out.wait_for(r"^TRUTH (\{.*\})$", START_SECONDS)
    assert trace.stop() == 0, trace
    check_exact(trace.document, pid, json.loads(match[1]))
    assert process_of(trace.document, pid)["exe"] == f"{inner}/program"
    outer.send()
    assert outer.wait() == 0
