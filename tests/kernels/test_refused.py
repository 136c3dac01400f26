# SPDX-License-Identifier: GPL-2.0-only
"""On a kernel that is too old, leaktrace says so, in one line, and leaves nothing behind."""
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import traces  # noqa: E402  found there

LEAKTRACE = os.environ["LEAKTRACE"]


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        assert process.poll() is None and traces.changed_code(process.pid) == []
        process.kill()


def test_process(sleeper):
    check_refused("-p", sleeper.pid, "-d", "1")


def test_command(tmp_path):
    check_refused("--", "touch", tmp_path / "ran")
    assert not (tmp_path / "ran").exists(), "the command ran untraced"


def check_refused(*args):
    programs, events = traces.bpf_programs(), traces.uprobe_events()
    done = subprocess.run([LEAKTRACE, *map(str, args)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert len(done.stderr.splitlines()) == 1 and re.match(r"leaktrace: .*\bLinux 5\.15\b", done.stderr), done
    assert traces.poll(traces.bpf_programs, programs) == programs
    assert traces.uprobe_events() == events
