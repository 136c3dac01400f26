#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run suites one after the other and count: one line for each, and a last line that counts everything.

    run_tests.py --build DIR SUITE...        SUITE: lint unit fuzz e2e soak kernels all-kernels

A check of lint, a cmocka test, a fuzzer and a pytest test count one each. What was skipped says why. A suite that dies counts as
one failure more, so that nothing that did not run looks like a pass. Exit status: 1 if anything failed.
"""
import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass

TESTS = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(TESTS)

UNIT_SECONDS = 120  # for each program
SUITE_SECONDS = {"lint": 300, "e2e": 3600, "soak": 4 * 3600, "kernels": 1800, "all-kernels": 4 * 3600}


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def say(text):
    print(text, flush=True)


def run(command, seconds, capture=False, env=None):
    """(status, output). The command and all that it started in its session end with it, at the latest when time is up."""
    with subprocess.Popen(command, cwd=TOP, start_new_session=True, env={**os.environ, **(env or {})},
                          stdout=subprocess.PIPE if capture else None, text=True, errors="replace") as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output or ""
        except subprocess.TimeoutExpired:
            say(f"{command[0]}: not done after {seconds} s, killed")
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return -signal.SIGKILL, output or ""
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def suite_lint(build):
    status, output = run([sys.executable, f"{TESTS}/lint/lint.py", "--build", build], SUITE_SECONDS["lint"], True)
    say(output.rstrip())
    match = re.search(r"^lint: (\d+) passed, (\d+) failed, (\d+) skipped$", output, re.M)
    count = Count(*map(int, match.groups())) if match else Count()
    return count + Count(failed=1 if status and not count.failed else 0)


def count_tap(output, status):
    """Count one cmocka program by what it printed (TAP) and how it ended."""
    skipped = len(re.findall(r"^not ok \d+ # SKIP|^ok \d+ .*# SKIP", output, re.M))
    failed = len(re.findall(r"^not ok \d+ (?!# SKIP)", output, re.M))
    passed = len(re.findall(r"^ok \d+ ", output, re.M)) - len(re.findall(r"^ok \d+ .*# SKIP", output, re.M))
    planned = sum(int(number) for number in re.findall(r"^1\.\.(\d+)$", output, re.M))
    failed += max(0, planned - passed - failed - skipped)
    # A sanitizer's report at exit, a crash, a group set-up that failed: no test says so, but the status does.
    if not failed and (status or not planned):
        failed = 1
    return Count(passed, failed, skipped)


def no_address_randomisation():
    """Sanitizers of gcc 12 and 13 crash at start where more than 28 bits of mmap addresses are random."""
    try:
        with open("/proc/sys/vm/mmap_rnd_bits", encoding="ascii") as file:
            return ["setarch", "-R"] if int(file.read()) > 28 else []
    except (OSError, ValueError):
        return []


def suite_unit(build):
    total = Count()
    names = sorted(name[:-2] for name in os.listdir(f"{TESTS}/unit") if name.endswith("_test.c")) \
        if os.path.isdir(f"{TESTS}/unit") else []
    for name in names:
        program = f"{build}/unit/{name}"
        if not os.access(program, os.X_OK):
            say(f"FAILED {name}: not built")
            total += Count(failed=1)
            continue
        status, output = run([*no_address_randomisation(), program], UNIT_SECONDS, True,
                             {"CMOCKA_MESSAGE_OUTPUT": "TAP", "UBSAN_OPTIONS": "print_stacktrace=1"})
        count = count_tap(output, status)
        for test in re.findall(r"^not ok \d+ # SKIP (.*)$", output, re.M):
            say(f"SKIPPED {name}: {test}")
        if count.failed:
            say(f"FAILED {name}: {count} (status {status})\n{output.rstrip()}")
        total += count
    return total


def eh_frame_seeds(folder):
    """Unwind information of small files of the system for a fuzzer to start from."""
    for name in ("libcap.so.2", "libbz2.so.1.0", "libjansson.so.4", "ld-linux-x86-64.so.2"):
        path = f"/lib/x86_64-linux-gnu/{name}"
        if os.path.exists(path):
            subprocess.run(["objcopy", "-O", "binary", "--only-section=.eh_frame", path, f"{folder}/{name}"],
                           check=False, stderr=subprocess.DEVNULL)
    # And a whole file: inputs that begin like one are taken as such.
    if os.path.exists("/lib/x86_64-linux-gnu/libcap.so.2"):
        shutil.copy("/lib/x86_64-linux-gnu/libcap.so.2", f"{folder}/file")


def plan_seeds(folder):
    """Functions of libc, behind four bytes that ask for what malloc needs, and free; and whole files."""
    libc = "/lib/x86_64-linux-gnu/libc.so.6"
    if os.path.exists(libc):
        sizes = subprocess.run(["nm", "-D", "-S", libc], capture_output=True, text=True, check=False).stdout
        with open(libc, "rb") as file:
            for vaddr, size, name in re.findall(
                    r"^(\w+) (\w+) [TW] (free|malloc|calloc|realloc|memalign|strdup|qsort|fopen)@", sizes, re.M):
                # Its code lies in the file where it lies in memory.
                file.seek(int(vaddr, 16))
                code = file.read(int(size, 16))
                for kind, needs in (("allocates", b"\x0b\xc0\0\0"), ("frees", b"\x76\x80\0\0")):
                    with open(f"{folder}/{name}-{kind}", "wb") as seed:
                        seed.write(needs + code)
    if os.path.exists("/lib/x86_64-linux-gnu/libcap.so.2"):
        shutil.copy("/lib/x86_64-linux-gnu/libcap.so.2", f"{folder}/file")
    # A small library that is taken for an allocator of each family.
    functions = "".join(f"void *{name}(void *p, long n) {{ if (!p) return 0; for (; n; n--) give(p); return p; }}\n" for name in
                        "malloc free realloc mallocx tc_malloc mi_malloc _Znwm _ZdlPv".split())
    subprocess.run(["gcc", "-shared", "-nostdlib", "-fPIC", "-O2", "-fno-builtin", "-Wl,-soname,libc.small.so", "-x", "c", "-",
                    "-o", f"{folder}/small.so"], input=f"void give(void *p);\n{functions}", text=True, check=False)


def spec_seeds(folder):
    """Descriptions of allocators that have every word."""
    for number, text in enumerate((
            "x: alloc=a(size=2,nothrow) calloc=c(count=2,size=3) realloc=r(ptr=2,size=3,count=4) free=f(ptr=2)",
            "x: alloc_at=p?ol[!a-c]*(result=1,size=2,pool=3) reset=q(pool=2) reset=r(pool=1)",
            "x: free=libx.so+0x12ab reset=malloc@@GLIBC_2.2.5 alloc=a::b<~c> nothrow")):
        with open(f"{folder}/{number}", "w", encoding="ascii") as seed:
            seed.write(text)


SEEDS = {"eh_frame_fuzz": eh_frame_seeds, "plan_fuzz": plan_seeds, "spec_fuzz": spec_seeds}


def suite_fuzz(build):
    seconds = int(os.environ.get("FUZZ_SECONDS") or 20)
    total = Count()
    for name in sorted(name[:-2] for name in os.listdir(f"{TESTS}/fuzz") if name.endswith("_fuzz.c")):
        program = f"{build}/fuzz/{name}"
        if not os.access(program, os.X_OK):
            say(f"SKIPPED {name}: not built; does clang have its runtime libraries (libclang-rt-dev)?")
            total += Count(skipped=1)
            continue
        with tempfile.TemporaryDirectory() as corpus:
            SEEDS[name](corpus)
            command = [*no_address_randomisation(), program, f"-max_total_time={seconds}", "-timeout=20",
                       "-rss_limit_mb=2048", "-max_len=65536", f"-artifact_prefix={build}/test/{name}-", corpus]
            # It reports on its standard error.
            status, output = run(["sh", "-c", 'exec "$@" 2>&1', "sh", *command], seconds + 60, True)
        done = re.search(r"^Done (\d+) runs", output, re.M)
        if status or not done:
            status = status or 1
            say(f"FAILED {name}: status {status}\n{output[-8000:].rstrip()}")
        else:
            say(f"{name}: {done[1]} inputs")
        total += Count(failed=1) if status else Count(passed=1)
    return total


def count_junit(path):
    try:
        suites = ET.parse(path).getroot().iter("testsuite")
    except (OSError, ET.ParseError):
        return None
    total = Count()
    for suite in suites:
        number = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        bad = number["failures"] + number["errors"]
        total += Count(number["tests"] - bad - number["skipped"], bad, number["skipped"])
    return total


def run_and_count(suite, command, report, env=None):
    """Count by the report in junit's format that a command leaves."""
    if os.path.exists(report):
        os.remove(report)
    status, _ = run(command, SUITE_SECONDS[suite], env=env)
    count = count_junit(report)
    if count is None:
        say(f"{suite}: ended with status {status} and no report")
        return Count(failed=1)
    no_tests = status == 5  # pytest's
    return count + Count(failed=1 if status and not no_tests and not count.failed else 0)


def pytest(build, suite, marks):
    report = f"{build}/test/{suite}.xml"
    env = {"LEAKTRACE": f"{build}/leaktrace", "LEAKTRACE_BUILD": build, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rsfE", "tests/e2e", "-m", marks,
               f"--junitxml={report}", *shlex.split(os.environ.get("TESTS", ""))]
    return run_and_count(suite, command, report, env)


def kernels(build, suite, *options):
    report = f"{build}/test/{suite}.xml"
    # If this program is killed, no virtual machine stays.
    command = ["setpriv", "--pdeathsig", "TERM", sys.executable, f"{TESTS}/kernels/run_kernels.py", "--build", build,
               "--report", report, *options]
    return run_and_count(suite, command, report)


SUITES = {
    "lint": suite_lint,
    "unit": suite_unit,
    "fuzz": suite_fuzz,
    "e2e": lambda build: pytest(build, "e2e", "not soak"),
    "soak": lambda build: pytest(build, "soak", "soak"),
    "kernels": lambda build: kernels(build, "kernels", "--quick"),
    "all-kernels": lambda build: kernels(build, "all-kernels", *os.environ.get("KERNEL", "").split()),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("suites", nargs="+", choices=SUITES, metavar="SUITE")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    os.makedirs(f"{build}/test", exist_ok=True)
    counts = {}
    if os.path.exists(f"{build}/test/build-failed"):
        counts["build"] = Count(failed=1)
    for suite in args.suites:
        say(f"== {suite}")
        counts[suite] = SUITES[suite](build)
    say("")
    for name, count in counts.items():
        say(f"{name}: {count}")
    total = sum(counts.values(), Count())
    say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
