# SPDX-License-Identifier: GPL-2.0-only
"""The test runner counts right: a test that did not run is never a pass."""
import os
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(TOP, "tests", "run_tests.py")


@pytest.fixture
def runner(tmp_path):
    """A copy of the runner in a tree of its own, so that its suites are ours."""
    tests = tmp_path / "tests"
    for folder in ("unit", "e2e", "lint"):
        (tests / folder).mkdir(parents=True)
    (tmp_path / "build/unit").mkdir(parents=True)
    with open(RUNNER, encoding="utf-8") as file:
        (tests / "run_tests.py").write_text(file.read())

    def unit(name, script):
        (tests / "unit" / f"{name}.c").write_text("")
        if script is not None:
            path = tmp_path / "build/unit" / name
            path.write_text("#!/bin/sh\n" + script)
            path.chmod(0o755)

    def run(*suites):
        env = {name: value for name, value in os.environ.items() if name != "TESTS"}
        done = subprocess.run([sys.executable, tests / "run_tests.py", "--build", tmp_path / "build", *suites],
                              capture_output=True, text=True, check=False, timeout=60, env=env)
        return done.returncode, done.stdout.splitlines()

    run.unit, run.tests, run.build = unit, tests, tmp_path / "build"
    return run


@pytest.mark.parametrize("script,expected", [
    ("printf '1..2\\nok 1 - a\\nok 2 - b\\n'", "2 passed, 0 failed, 0 skipped"),
    ("printf '1..3\\nok 1 - a\\nnot ok 2 - b\\nnot ok 3 # SKIP c\\n'; exit 1", "1 passed, 1 failed, 1 skipped"),
    ("printf '1..3\\nok 1 - a\\n'; kill -SEGV $$", "1 passed, 2 failed, 0 skipped"),
    ("printf '1..1\\nok 1 - a\\n'; exit 23", "1 passed, 1 failed, 0 skipped"),
    ("exit 0", "0 passed, 1 failed, 0 skipped"),
    (None, "0 passed, 1 failed, 0 skipped"),
])
def test_unit_programs_are_counted(runner, script, expected):
    runner.unit("x_test", script)
    status, lines = runner("unit")
    assert lines[-2:] == [f"unit: {expected}", expected]
    assert status == (0 if " 0 failed" in expected else 1)


def test_pytest_is_counted_and_a_skip_says_why(runner):
    (runner.tests / "e2e/test_x.py").write_text(
        "import pytest\ndef test_a():\n    pass\ndef test_b():\n    assert 0\n"
        "def test_c():\n    pytest.skip('no such kernel')\n@pytest.fixture\ndef f():\n    raise OSError\n"
        "def test_d(f):\n    pass\n")
    status, lines = runner("e2e")
    assert (status, lines[-1]) == (1, "1 passed, 2 failed, 1 skipped")
    assert any("no such kernel" in line for line in lines)


def test_a_suite_that_cannot_be_collected_fails(runner):
    (runner.tests / "e2e/test_x.py").write_text("this is not Python\n")
    status, lines = runner("e2e")
    assert status == 1
    assert " 0 failed" not in lines[-1]


def test_later_suites_run_and_the_last_line_adds_up(runner):
    (runner.tests / "lint/lint.py").write_text("print('lint: 3 passed, 1 failed, 1 skipped')\nraise SystemExit(1)\n")
    runner.unit("x_test", "printf '1..1\\nok 1 - a\\n'")
    (runner.tests / "e2e/test_x.py").write_text("def test_a():\n    pass\n")
    status, lines = runner("lint", "unit", "e2e")
    assert status == 1
    assert lines[-4:] == ["lint: 3 passed, 1 failed, 1 skipped", "unit: 1 passed, 0 failed, 0 skipped",
                          "e2e: 1 passed, 0 failed, 0 skipped", "5 passed, 1 failed, 1 skipped"]


def test_a_failed_build_counts(runner):
    (runner.build / "test").mkdir()
    (runner.build / "test/build-failed").write_text("")
    status, lines = runner("unit")
    assert (status, lines[-1]) == (1, "0 passed, 1 failed, 0 skipped")


def test_a_lint_that_dies_fails(runner):
    (runner.tests / "lint/lint.py").write_text("raise SystemExit(3)\n")
    status, lines = runner("lint")
    assert (status, lines[-1]) == (1, "0 passed, 1 failed, 0 skipped")
