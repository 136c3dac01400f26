#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run leaktrace under other kernels: a virtual machine for each (see vm), one after the other, and a line for each.

    run_kernels.py --build DIR [--quick] [--report FILE] [VERSION...]       VERSION: of expected.txt, all without

--quick: the lines of expected.txt that say "test", and one test that covers much. The tests are those of tests/e2e marked
first_light. Beside them counts, for each kernel, whether leaktrace chose the way to attach that expected.txt has, and
walked stacks by unwind tables. What cannot run here is skipped and says why. --report: in junit's format.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
E2E = f"{TOP}/tests/e2e"

CANNOT_RUN = 77  # see vm
# Ten to thirty times what it takes where a processor is emulated, quickly and undisturbed.
SECONDS, QUICK_SECONDS = 3600, 600
SLOWNESS = "5"
QUICK_TESTS = [f"{E2E}/test_first_light.py", "-k", "many_victims"]
TABLES = "unwind tables"


def read_expected():
    """[(version, way to attach, whether it is one of the quick ones)]"""
    with open(f"{HERE}/expected.txt", encoding="utf-8") as file:
        lines = [line.split("#")[0].split() for line in file]
    return [(words[0], words[1], "test" in words[2:]) for words in lines if words]


def tests_for(way, quick):
    if way == "refused":
        return [f"{HERE}/test_refused.py"]
    if quick:
        return QUICK_TESTS
    # Only files with such tests: to read the others takes the guest longer than to run one.
    files = [name for name in sorted(glob.glob(f"{E2E}/test_*.py")) if "mark.first_light" in open(name, encoding="utf-8").read()]
    return [*files, "-m", "first_light"]


def run_guest(version, tests, build, folder, seconds):
    """(status, output) of pytest in a guest, which leaves in the folder its report and the kernel's name."""
    env = [f"LEAKTRACE={build}/leaktrace", f"LEAKTRACE_BUILD={build}", f"BPFTOOL={os.environ.get('BPFTOOL', '')}",
           f"LEAKTRACE_SLOWNESS={SLOWNESS}", "PYTHONDONTWRITEBYTECODE=1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={folder}/report.xml", *tests]
    # However this process ends, the machine goes with it and tidies up. A session of its own, so that a signal to all of
    # ours does not kill what is to tidy up.
    command = ["setpriv", "--pdeathsig", "TERM", f"{HERE}/vm", "-k", version, "-t", str(seconds), "-s", folder, "--",
               "env", *env, "sh", "-c", 'uname -r >"$0" && exec "$@"', f"{folder}/name", *pytest]
    with subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        try:
            output, _ = process.communicate()
            return process.returncode, output
        except BaseException:
            process.terminate()
            raise


def suite(name, failure=None, skip=None):
    """A suite of one test of our own."""
    element = ET.Element("testsuite", name=name, tests="1", failures="1" if failure else "0", errors="0",
                         skipped="1" if skip else "0")
    case = ET.SubElement(element, "testcase", name=name)
    if failure or skip:
        ET.SubElement(case, "failure" if failure else "skipped", message=failure or skip)
    return element


def recorded(suites, name):
    """What tests recorded under this name: all values."""
    return sorted({p.get("value") for s in suites for p in s.iter("property") if p.get("name") == name})


def wrong_choice(suites, way):
    """What is wrong with leaktrace's own choices; None if nothing is."""
    if way == "refused":
        return None
    ways, stacks = recorded(suites, "attach_path"), recorded(suites, "stacks")
    if ways != [way]:
        return f"it attaches by {' and '.join(ways) or 'nothing that it told'}, expected.txt says {way}"
    if stacks != [TABLES]:
        return f"it walks stacks by {' and '.join(stacks) or 'nothing that it told'}, not by {TABLES}"
    return None


def count(suites):
    tests, skipped = (sum(int(s.get(key)) for s in suites) for key in ("tests", "skipped"))
    failed = sum(int(s.get("failures")) + int(s.get("errors")) for s in suites)
    return tests - failed - skipped, failed, skipped


def skip_reasons(suites):
    reasons = [element.get("message") for s in suites for element in s.iter("skipped")]
    return [f"  SKIPPED [{reasons.count(reason)}] {reason}" for reason in sorted(set(reasons))]


def test_kernel(version, way, quick, build):
    """The suites of one kernel; prints its line and what failed."""
    started = time.monotonic()
    folder = f"{build}/test/kernel-{version}"  # not in /tmp: nothing there to be left behind
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    status, output = run_guest(version, tests_for(way, quick), build, folder, QUICK_SECONDS if quick else SECONDS)
    if status == CANNOT_RUN:
        reason = output.strip().splitlines()[-1]
        print(f"SKIPPED kernel {version}: {reason}", flush=True)
        return [suite(f"kernel {version}", skip=reason)]
    name, suites, problem = version, [], None
    try:
        with open(f"{folder}/name", encoding="utf-8") as file:
            name = file.read().strip()
        suites = [*ET.parse(f"{folder}/report.xml").getroot().iter("testsuite")]
        problem = wrong_choice(suites, way)
    except (OSError, ET.ParseError):
        problem = f"its tests did not end (status {status})"
    if status and not problem and not count(suites)[1]:
        problem = f"no test failed, but the status is {status}"
    suites.append(suite(f"kernel {name}", failure=problem))
    tell(name, way, suites, output, problem, time.monotonic() - started)
    return suites


def tell(name, way, suites, output, problem, seconds):
    passed, failed, skipped = count(suites)
    if failed:
        print(output.rstrip())
    found = "refused" if way == "refused" else f"path {' '.join(recorded(suites, 'attach_path')) or 'unknown'}"
    print(f"kernel {name}: {found}, {passed} passed, {failed} failed, {skipped} skipped ({seconds:.0f} s)")
    if problem:
        print(f"FAILED kernel {name}: {problem}")
    print("".join(f"{line}\n" for line in skip_reasons(suites)), end="", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", metavar="FILE")
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    expected = read_expected()
    unknown = set(args.versions) - {version for version, _, _ in expected}
    if unknown:
        parser.error(f"no {unknown.pop()} in expected.txt, which has {' '.join(version for version, _, _ in expected)}")
    chosen = [line for line in expected if line[0] in args.versions or not args.versions and (line[2] or not args.quick)]
    root = ET.Element("testsuites")
    for version, way, _ in chosen:
        root.extend(test_kernel(version, way, args.quick, build))
    if args.report:
        ET.ElementTree(root).write(args.report)
    passed, failed, skipped = count(root)
    print(f"kernels: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
