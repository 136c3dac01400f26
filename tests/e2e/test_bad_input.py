# SPDX-License-Identifier: GPL-2.0-only
"""What cannot be done is refused: one clear line that names the next step, the right status, nothing left attached."""
import errno
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

import traces
from programs import START_SECONDS

FAILED, USAGE = 1, 2
# A sentence that stops at what is wrong leaves its reader there.
NEXT_STEP = r"; |--help|\b(use|try|run|give|see|check|trace|start|choose|as in)\b"


def assert_refused(trace, status, *words):
    """One line that says each of the words (a|b: either)."""
    assert trace.wait() == status, trace
    assert len(trace.complaints) == 1, trace
    (line,) = trace.complaints
    assert line.startswith("leaktrace: "), trace
    for word in words:
        assert re.search(word, line, re.I), f"{word!r} is not in: {line}"
    assert re.search(NEXT_STEP, line), f"no next step in: {line}"
    assert not trace.out or trace.out.text == "", trace


def free_pid():
    """A pid that nobody has, and that will not be given out soon."""
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        return int(file.read()) - 1


@pytest.mark.parametrize("pid", ["0", "-1", "99999999999999999999", "2147483648", "4294967297", "abc", "12x", "", ",",
                                 "1,", ",1", "1,,2", "1;2", " ", "0x10", "1.5", "+1"])
def test_pid_that_is_no_pid(lab, pid):
    assert_refused(lab.run("-p", pid), USAGE, "-p|pid")


def test_no_such_process(lab):
    assert_refused(lab.run("-p", free_pid()), FAILED, str(free_pid()), "no .*process")


def test_one_of_several_does_not_exist(lab):
    victim = lab.victim("leak_o0")
    assert_refused(lab.run("-p", f"{victim.pid},{free_pid()}"), FAILED, str(free_pid()))


def test_zombie(lab):
    zombie = subprocess.Popen(["true"])
    try:
        assert traces.poll(lambda: open(f"/proc/{zombie.pid}/stat", encoding="ascii").read().split()[2], "Z") == "Z"
        assert_refused(lab.run("-p", zombie.pid), FAILED, "zombie", str(zombie.pid))
    finally:
        zombie.wait()


def test_kernel_thread(lab):
    assert_refused(lab.run("-p", 2), FAILED, "kernel thread")


def test_thread_for_process(lab):
    victim = lab.victim("libc_family", "8")
    thread = next(t for t in os.listdir(f"/proc/{victim.pid}/task") if int(t) != victim.pid)
    assert_refused(lab.run("-p", thread), FAILED, "thread", rf"-p {victim.pid}\b")


def test_itself(lab):
    """Tracing this test's own process is allowed: it is a program like any other."""
    trace = lab.start("-p", os.getpid(), "-d", "200ms", "--format", "json")
    assert trace.wait() == 0, trace


@pytest.mark.parametrize("name,words", [
    ("bits32", ["32.bit"]),
    ("no_libc", ["no allocator"]),
    ("static_stripped", ["no allocator", "strip"]),
    ("go_program", [r"\bGo\b"]),
])
def test_program_that_cannot_be_traced(lab, name, words):
    if name == "static_stripped":
        victim = lab.victim(name)
    else:
        try:
            victim = lab.program(lab.victim_path(name))
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                pytest.skip(f"this kernel does not run {name} (ia32_emulation=off?)")
            raise
        time.sleep(0.2)
        assert victim.is_running(), f"this kernel does not run it: {victim}"
    assert_refused(lab.run("-p", victim.pid), FAILED, *words)
    assert victim.is_running()


def test_unprivileged(lab):
    victim = lab.victim("leak_o0")
    trace = lab.start_by("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                         lab.leaktrace_path, "-p", victim.pid)
    assert_refused(trace, FAILED, "CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "root|sudo")


@pytest.mark.parametrize("dropped,word", [
    (["sys_admin", "bpf"], "CAP_BPF"),
    (["sys_admin", "perfmon"], "CAP_PERFMON"),
    (["sys_ptrace"], "CAP_SYS_PTRACE"),
])
def test_one_capability_missing(lab, dropped, word):
    victim = lab.victim("leak_o0")
    bounding = ",".join(f"-{name}" for name in dropped)
    trace = lab.start_by("setpriv", f"--bounding-set={bounding}", "--inh-caps=-all", lab.leaktrace_path,
                         "-p", victim.pid)
    assert_refused(trace, FAILED, word)
    assert {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"} & set(re.findall(r"CAP_\w+", trace.err.text)) == {word}


def test_without_sys_admin(lab):
    """The finer capabilities are enough, or it says which is not."""
    victim = lab.victim("leak_o0")
    trace = lab.start_by("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", lab.leaktrace_path,
                         "-p", victim.pid, "-d", "300ms")
    if trace.wait():
        assert_refused(trace, FAILED, "CAP_SYS_ADMIN")


def test_without_sys_admin_by_perf(lab, need_attach_path):
    """Older kernels have only that way, and it asks for more."""
    need_attach_path("perf")
    victim = lab.victim("leak_o0")
    trace = lab.start_by("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", lab.leaktrace_path,
                         "-p", victim.pid, "-d", "300ms", "--attach-path", "perf")
    assert_refused(trace, FAILED, "CAP_SYS_ADMIN")


def test_kernel_without_btf(lab):
    victim = lab.victim("leak_o0")
    trace = lab.start_by("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"',
                         lab.leaktrace_path, "-p", victim.pid)
    assert_refused(trace, FAILED, "BTF", "CONFIG_DEBUG_INFO_BTF")


def test_more_processes_than_room(lab):
    many = lab.program("sh", "-c", 'for i in $(seq 257); do sleep 600 & p="$p,$!"; done; echo "PIDS ${p#,}"; wait')
    pids = many.out.wait_for(r"^PIDS ((\d+,){256}\d+)$", START_SECONDS)
    assert pids, many
    assert_refused(lab.run("-p", pids[1]), FAILED, "256")


def test_targets_that_die_at_any_moment(lab):
    """Between look-up and attach, or later: ended well or refused, but no crash, no hang, nothing left."""
    chance = random.Random(1)
    for _ in range(20):
        victim = lab.victim("leak_o0")
        trace = lab.start("-p", victim.pid, "--format", "json")
        killer = threading.Timer(chance.uniform(0, 0.5), victim.kill)
        killer.start()
        status = trace.wait()
        killer.join()
        assert status in (0, FAILED), trace
        if status:
            assert_refused(trace, FAILED, str(victim.pid))
        else:
            assert len(trace.documents) == 1, trace


@pytest.mark.parametrize("args", [
    ["--no-such-option"], ["-y"], ["--format"], ["--format", "xml"], ["--format", ""], ["-d"], ["-d", "0"], ["-d", "-1"],
    ["-d", "99999999999999999999"], ["-d", "5x"], ["-d", "nan"], ["-d", "inf"], ["-d", ""], ["-T", "-1"], ["-T", "x"],
    ["-z", "-5"], ["-z", "1X"], ["-Z", "99999999999999999999G"], ["-z", "10", "-Z", "5"], ["--max-blocks", "0"],
    ["--max-blocks", "-1"], ["--max-blocks", "134217729"], ["--max-blocks", "99999999999999999999"], ["--max-sites", "0"], ["0"], ["-1"], ["5x"],
    ["1", "0"], ["1", "-1"], ["1", "x"], ["1", "99999999999999999999999"], ["1", "2", "3"], ["-p", "1"],
], ids=" ".join)
def test_wrong_usage(lab, args):
    victim = lab.victim("leak_o0")
    trace = lab.run("-p", victim.pid, *args)
    assert trace.wait() == USAGE, trace
    own = [line for line in trace.err.lines if line.startswith("leaktrace: ")]
    assert len(own) == 1 and len(trace.err.lines) <= 2, trace
    assert "--help" in trace.err.text and trace.out.text == "", trace


@pytest.mark.parametrize("args,word", [
    (["--fail-on-leak"], "--fail-on-leak"), (["-n", "nginx"], "-n"), (["-g", "/sys/fs/cgroup"], "-g"),
    (["--container", "abc"], "--container"), (["--all"], "--all"), (["--sample", "1M"], "--sample"),
    (["--sample=1M"], "--sample"), (["--max-overhead", "5"], "--max-overhead"), (["-s", "10"], "--sample"),
    (["-s10"], "--sample"), (["-o", "5", "-p", "1"], "unit"), (["--format", "pprof", "-p", "1"], "pprof"),
    (["-t", "--format", "json", "-p", "1"], "-t"), (["-ag"], "-g"), (["-vn", "x"], "-n"), (["--cgr", "x"], "-g"),
    (["record", "-p", "1"], "record"), (["-c", "true", "--", "true"], "-c"), (["-c", "true", "-c", "true"], "-c"), ([], "-p PID"), (["--"], "command"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_not_offered_yet(lab, args, word):
    assert_refused(lab.run(*args), USAGE, word)


def test_a_value_is_no_option(lab):
    """What follows an option that takes a value may look like another option."""
    victim = lab.victim("leak_o0")
    trace = lab.start_by("sh", "-c", 'cd "$0" && exec "$@"', lab.tmp, lab.leaktrace_path, "-p", victim.pid, "-d", "200ms",
                         "-w", "-s")
    assert trace.wait() == 0, trace
    assert (lab.tmp / "-s").read_text()


def test_output_into_nowhere(lab):
    victim = lab.victim("leak_o0")
    assert_refused(lab.run("-p", victim.pid, "-w", "/nonexistent/x"), FAILED, "/nonexistent/x")


def test_output_is_a_folder(lab):
    victim = lab.victim("leak_o0")
    assert_refused(lab.run("-p", victim.pid, "-w", lab.tmp), FAILED, "directory")


def assert_disk_full(trace):
    assert trace.wait() == FAILED, trace
    assert len(trace.complaints) == 1 and re.search("no space", trace.complaints[0], re.I), trace


@pytest.mark.parametrize("options", [["--format", "json"], ["--format", "json", "100ms"], [], ["100ms"]],
                         ids=lambda options: " ".join(options) or "text")
def test_disk_full(lab, options):
    victim = lab.victim("libc_family")
    trace = lab.start("-p", victim.pid, *options, "-w", "/dev/full").wait_tracing()
    victim.go()
    victim.truth()
    time.sleep(0.5)
    if trace.is_running():
        trace.signal(signal.SIGINT)
    assert_disk_full(trace)


def test_disk_full_for_stdout(lab):
    victim = lab.victim("libc_family")
    with open("/dev/full", "wb") as full:
        assert_disk_full(lab.run("-p", victim.pid, "-d", "300ms", stdout=full))


def test_disk_that_fills_up(lab):
    """A file system of one page, in a mount namespace that ends with leaktrace."""
    victim = lab.victim("libc_family")
    script = 'mount -t tmpfs -o size=4k none "$0" && cd "$0" && exec "$@" -w report.json'
    trace = lab.start_by("unshare", "--mount", "sh", "-c", script, lab.tmp, lab.leaktrace_path, "-p", victim.pid,
                         "--format", "json").wait_tracing()
    victim.go()
    victim.truth()
    trace.signal(signal.SIGINT)
    assert_disk_full(trace)


@pytest.mark.parametrize("options", [["--format", "json", "100ms"], ["100ms"], ["--format", "json", "-d", "1"]],
                         ids=" ".join)
def test_reader_that_leaves(lab, options):
    """As in `leaktrace … | head -1`: it ends soon, quietly, with the status of a broken pipe at most."""
    victim = lab.victim("busy")
    victim.go()
    began = time.monotonic()
    trace = lab.start_by("bash", "-c", '"$@" | head -n 1; exit ${PIPESTATUS[0]}', "bash", lab.leaktrace_path,
                         "-p", victim.pid, *options)
    assert trace.wait(START_SECONDS) in (0, FAILED, 128 + signal.SIGPIPE), trace
    assert time.monotonic() - began < 30
    assert len(trace.complaints) <= 1, trace
    assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
    victim.send()
    victim.truth()
    assert victim.finish() == 0


def test_no_stdout_at_all(lab):
    victim = lab.victim("leak_o0")
    trace = lab.start_by("sh", "-c", 'exec "$@" >&-', "sh", lab.leaktrace_path, "-p", victim.pid, "-d", "300ms")
    assert trace.wait() == FAILED and len(trace.complaints) == 1, trace


def test_no_stdin_and_no_stderr(lab):
    """Closed standard streams: no file of leaktrace may end up in their place."""
    victim = lab.victim("leak_o0", "20")
    report = lab.tmp / "report.json"
    trace = lab.start_by("sh", "-c", 'exec "$@" <&- 2>&-', "sh", lab.leaktrace_path, "-p", victim.pid, "-d", "1",
                         "--format", "json", "-w", report)
    assert trace.wait() == 0, trace
    assert report.read_text().lstrip().startswith("{")
