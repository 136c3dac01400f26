# SPDX-License-Identifier: GPL-2.0-only
"""The lab: victims and leaktraces for one test. It ends with the test, and nothing of it may be left in the system."""
import os
import platform
import re

import pytest

pytest.register_assert_rewrite("allocators", "exact", "foreign", "golden", "programs", "traces")

# pylint: disable=wrong-import-position
import traces
from programs import STOP_SECONDS, Leaktrace, Program, Victim

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LEAKTRACE_BUILD", f"{TOP}/.build")
LEAKTRACE = os.environ.get("LEAKTRACE", f"{BUILD}/leaktrace")

# What leaktrace needs of the kernel for each way to attach.
ATTACH_PATHS = {"session": (6, 13), "multi": (6, 6), "perf": (5, 15)}


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: long; run by `make soak`, not by `make test`")
    config.addinivalue_line("markers", "first_light: run on other kernels too, in slow machines, by `make test-kernels`")


class Lab:
    def __init__(self, tmp_path):
        self.tmp = tmp_path
        self.leaktrace_path = LEAKTRACE
        self.programs = []
        self.bpf_before = set(traces.bpf_programs())
        self.events_before = traces.uprobe_events()

    def _add(self, program):
        self.programs.append(program)
        return program

    @staticmethod
    def victim_path(name):
        path = f"{BUILD}/victims/{name}"
        assert os.access(path, os.X_OK), f"{path} is not built"
        return path

    def victim(self, name, *args, **options):
        """A victim that is ready to go."""
        return self.victim_at(self.victim_path(name), *args, **options)

    def victim_at(self, path, *args, **options):
        return self._add(Victim([path, *args], **options))

    @staticmethod
    def allocator_path(name):
        """One of tests/victims/allocators, which are built where their allocator is installed."""
        path = f"{BUILD}/allocators/{name}"
        if not os.access(path, os.X_OK):
            pytest.skip(f"{path} is not built: is its allocator (a -dev package) installed?")
        return path

    def allocator_victim(self, name, *args, **options):
        return self.victim_at(self.allocator_path(name), *args, **options)

    def program(self, *command, **options):
        return self._add(Program(command, **options))

    def start(self, *args, **options):
        """leaktrace with these arguments."""
        return self._add(Leaktrace([LEAKTRACE, *args], **options))

    def start_by(self, *command, **options):
        """leaktrace by way of another command that runs it."""
        return self._add(Leaktrace(command, **options))

    def run(self, *args, seconds=STOP_SECONDS, **options):
        """leaktrace from start to end."""
        trace = self.start(*args, **options)
        trace.wait(seconds)
        return trace

    def trace(self, victim, *options):
        """leaktrace on one victim, with probes on."""
        return self.start("-p", victim.pid, "--format", "json", "--audit", *options).wait_tracing()

    def observe(self, victim, *options):
        """Trace all of a victim's work. Returns the ended leaktrace and the truth."""
        trace = self.trace(victim, *options)
        victim.go()
        truth = victim.truth()
        trace.stop()
        assert traces.poll(lambda: traces.changed_code(victim.pid), []) == []
        return trace, truth

    def close(self):
        for program in self.programs:
            program.kill()
        assert traces.poll(lambda: traces.abandoned_programs(self.bpf_before), []) == []
        assert traces.poll(lambda: traces.uprobe_events() - self.events_before, set()) == set(), "uprobes left"


@pytest.fixture
def lab(tmp_path):
    if not traces.is_root():
        pytest.skip("tracing needs root")
    assert os.access(LEAKTRACE, os.X_OK), f"{LEAKTRACE} is not built"
    it = Lab(tmp_path)
    yield it
    it.close()


@pytest.fixture
def need_attach_path():
    """Skip where the running kernel cannot attach like that."""
    def need(path):
        kernel = tuple(int(word) for word in re.match(r"(\d+)\.(\d+)", platform.release()).groups())
        if kernel < ATTACH_PATHS[path]:
            pytest.skip(f"kernel {platform.release()} cannot attach by {path}")
    return need
