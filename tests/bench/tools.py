# SPDX-License-Identifier: GPL-2.0-only
"""What looks on: leaktrace and its peers, each started, awaited until it is really attached, and stopped."""
import glob
import os
import shutil
import signal
import time

import traces
from programs import START_SECONDS, STOP_SECONDS, json_documents
from workloads import Unavailable, need

ATTACH_PATHS = ("session", "multi", "perf")


class Tool:
    """No tool: the baseline."""
    name = "none"
    guess = 1.5  # seconds that one measurement takes, before the first says better

    def check(self):
        """Raises Unavailable."""

    def prefix(self):
        """What the command of the target is put behind."""
        return []

    def attach(self, lab, pid):
        """The running tool; None if it is part of the target, once it is certain that it works there."""

    def stop(self, running, ops):
        """Ends it; what it tells about itself."""
        return {}


class Attached(Tool):
    """A tool that is attached to a running process."""
    said = None

    def arguments(self, pid):
        raise NotImplementedError

    def attach(self, lab, pid):
        running = lab.add(self.arguments(pid))
        stream = running.err if self.said[0] == "err" else running.out
        if not stream.wait_for(self.said[1], START_SECONDS):
            raise Unavailable(f"{self.name} did not attach: {running}")
        running.attached = time.monotonic()
        if not traces.changed_code(pid):
            raise Unavailable(f"{self.name} says that it is attached, but there is no probe in the target's code")
        return running

    def stop(self, running, ops):
        if not running.is_running():
            raise Unavailable(f"{self.name} ended early: {running}")
        running.signal(signal.SIGINT)
        running.wait(STOP_SECONDS)
        return {}


class Leaktrace(Attached):
    said = ("err", r"^leaktrace: tracing ")

    def __init__(self, path=None, interval=None, program=None):
        self.name = f"leaktrace {path}" if path else "leaktrace"
        self.path, self.interval = path, interval
        self.program = program or os.environ["LEAKTRACE"]
        self.guess = 7 if path == "perf" else 2

    def arguments(self, pid):
        return [self.program, "-p", str(pid), "--format", "json", *(["--attach-path", self.path] if self.path else []),
                *([str(self.interval)] if self.interval else [])]

    def stop(self, running, ops):
        super().stop(running, ops)
        if running.process.returncode not in (0, 4):
            raise Unavailable(f"leaktrace failed: {running}")
        report = json_documents(running.out.text)[-1]
        hits = report["overhead"]["probe_hits"]
        if not hits:
            raise Unavailable("leaktrace saw no allocation")
        return {"hits_per_op": hits / ops, "losses": {name: n for name, n in report["losses"].items() if n}}


class Memleak(Attached):
    """libbpf-tools' memleak; MEMLEAK names one outside of PATH."""
    name = "memleak"
    guess = 8
    said = ("out", r"^(Attaching to pid|Tracing outstanding)")

    def __init__(self):
        self.program = os.environ.get("MEMLEAK") or shutil.which("memleak")

    def check(self):
        if not self.program:
            raise Unavailable("not installed (package libbpf-tools, in releases where that has memleak; "
                              "or MEMLEAK=/path/to/it)")

    def arguments(self, pid):
        return ["stdbuf", "-oL", self.program, "-p", str(pid), "3600"]


class MemleakBcc(Attached):
    """bcc's memleak, which compiles its programs against the headers of the running kernel."""
    name = "memleak-bpfcc"
    guess = 12
    said = ("out", r"^Attaching to pid")

    def check(self):
        need("memleak-bpfcc", "bpfcc-tools")
        release = os.uname().release
        if not os.path.isdir(f"/lib/modules/{release}/build") and not os.path.exists("/sys/kernel/kheaders.tar.xz"):
            raise Unavailable(f"needs the kernel's headers (package linux-headers-{release})")

    def arguments(self, pid):
        return ["env", "PYTHONUNBUFFERED=1", "memleak-bpfcc", "-p", str(pid), "3600"]


class Heaptrack(Tool):
    """Its library alone, with the raw record thrown away: what it costs the target, not what it makes of it."""
    name = "heaptrack"

    def __init__(self):
        found = glob.glob("/usr/lib/heaptrack/libheaptrack_preload.so") + \
            glob.glob("/usr/lib/*/heaptrack/libheaptrack_preload.so")
        self.library = found[0] if found else None

    def check(self):
        if not self.library:
            raise Unavailable("not installed (package heaptrack)")

    def prefix(self):
        # Not in the environment from the start: the library takes itself out of it in the first process it is in.
        script = 'LD_PRELOAD="$0${LD_PRELOAD:+:$LD_PRELOAD}" DUMP_HEAPTRACK_OUTPUT=/dev/null exec "$@"'
        return ["sh", "-c", script, self.library]

    def attach(self, lab, pid):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            if os.path.realpath(self.library) not in maps.read():
                raise Unavailable("heaptrack's library is not in the target")


class Valgrind(Tool):
    name = "valgrind"
    guess = 5

    def check(self):
        need("valgrind", "valgrind")

    def prefix(self):
        return ["valgrind", "--quiet", "--tool=memcheck", "--leak-check=full", "--log-file=/dev/null"]

    def attach(self, lab, pid):
        if "valgrind" not in os.readlink(f"/proc/{pid}/exe"):
            raise Unavailable("the target does not run under valgrind")


def all_tools():
    """(tool, only for the pair loop)"""
    return [(Leaktrace("session"), True), (Leaktrace("multi"), True), (Leaktrace("perf"), True), (Leaktrace(), False),
            (Memleak(), False), (MemleakBcc(), False), (Heaptrack(), False), (Valgrind(), False)]
