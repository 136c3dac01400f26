#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What tracing costs, side by side with other tools, as ratios of the target's CPU time.

    LEAKTRACE=… LEAKTRACE_BUILD=… run.py [--quick] [--rounds N] [--seconds N] [--only WORD]

Nothing here passes or fails by speed. The tables go to stdout, all numbers to bench/bench.json in the build folder.
Exit status: 1 if leaktrace itself could not be measured.
"""
import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import inside  # noqa: E402  after the lines that say where from
import rounds  # noqa: E402
from programs import Program  # noqa: E402
from tools import all_tools  # noqa: E402
from workloads import all_workloads  # noqa: E402


class Lab:
    """A folder and running programs, none of which outlives it."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = []

    def add(self, command, **options):
        # Even if this script is killed, what it started ends.
        program = Program(["setpriv", "--pdeathsig", "KILL", *command], **options)
        self.programs.append(program)
        return program

    def clear(self):
        while self.programs:
            self.programs.pop().kill()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: less work, fewer rounds and tools")
    parser.add_argument("--rounds", type=int, help="at most so many (5; quick: 2)")
    parser.add_argument("--seconds", type=float, help="for the rounds (255; quick: 30)")
    parser.add_argument("--only", default="", help="workloads with this in their name")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.seconds = args.seconds or (30 if args.quick else 255)
    return args


def interrupt(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def header(args):
    version = subprocess.run([os.environ["LEAKTRACE"], "--version"], capture_output=True, text=True, check=True,
                             timeout=10).stdout.split("\n")[0]
    return {"schema": "leaktrace.bench/1", "version": version, "kernel": platform.release(), "cpus": os.cpu_count(),
            "rounds": args.rounds, "quick": args.quick, "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def measure(lab, args, build):
    result = header(args)
    print(f"{result['version']}, kernel {result['kernel']}, {result['cpus']} CPUs", flush=True)
    workloads = [w for w in all_workloads(build, 0.25 if args.quick else 1) if args.only in w.name]
    rows = rounds.make_cells(workloads, all_tools())
    rounds.run_rounds(lab, rows, args.rounds, args.seconds)
    found = inside.measure_all(lab, args.quick, build)
    rounds.print_ratios(rows)
    if rows:
        rounds.print_attach(rows[0])
    inside.print_memory(found["memory"])
    inside.print_inside(found["inside"])
    result["cells"] = [cell.as_dict() for row in rows for cell in row]
    result.update(found)
    return result


def count(result):
    cells = result["cells"]
    for cell in cells:
        if cell["skipped"] == "no time left":
            print(f"SKIPPED {cell['workload']} with {cell['tool']}: no time left (--seconds)")
    measured = sum(not c["skipped"] for c in cells) + len(result["memory"]) + \
        len({(f["attach_path"], f["work"]) for f in result["inside"]})
    return measured, sum(bool(c["skipped"]) for c in cells) + len(result["skipped"])


def main():
    args = arguments()
    if os.geteuid():
        print("tracing needs root: sudo make bench", file=sys.stderr)
        return 1
    # SIGINT too: it is ignored from the start in a background job of a shell.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    build = os.path.join(os.environ["LEAKTRACE_BUILD"], "bench")
    os.makedirs(build, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="leaktrace-bench-") as folder:
        lab = Lab(folder)
        try:
            result = measure(lab, args, build)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        finally:
            lab.clear()
    measured, skipped = count(result)
    result.update(seconds=time.monotonic() - started, measured=measured, skipped_count=skipped)
    with open(f"{build}/bench.json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print(f"\nall numbers: {build}/bench.json   {result['seconds']:.0f} s")
    print(f"{measured} measured, {skipped} skipped")
    return 0 if any(c["tool"].startswith("leaktrace") and not c["skipped"] for c in result["cells"]) else 1


if __name__ == "__main__":
    sys.exit(main())
