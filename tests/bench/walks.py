#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a call stack costs: a walk by unwind tables beside bpf_get_stack(), the tables' time and memory.

    LEAKTRACE=… LEAKTRACE_BUILD=… CC=… walks.py [--rounds N]

A walk's time is the time of the BPF programs for a pair of malloc and free at some depth, less that at almost none, as
the kernel counts it (kernel.bpf_stats_enabled). Nothing here passes or fails.
"""
import argparse
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from programs import START_SECONDS, Leaktrace, Program  # noqa: E402  after the lines that say where from

LEAKTRACE = os.environ["LEAKTRACE"]
PAIRS = 20000
SHALLOW, DEEP = 2, 102
STATS = "/proc/sys/kernel/bpf_stats_enabled"
UNWIND_MAPS = ("rows", "mappings", "spaces", "files", "rules")
WAYS = (("tables, no frame pointers", "omit", "tables"), ("tables, frame pointers", "no-omit", "tables"),
        ("bpf_get_stack, frame pointers", "no-omit", "fp"))


def bpftool(what):
    output = subprocess.run([os.environ.get("BPFTOOL", "bpftool"), what, "list", "--json"], capture_output=True, check=True,
                            timeout=30).stdout
    return json.loads(output)


def start(programs, *args, kind=Program):
    programs.append(kind(["setpriv", "--pdeathsig", "KILL", *map(str, args)]))
    return programs[-1]


def held(pid, what):
    """Ids of the programs or maps that a process has open."""
    found = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with open(path, encoding="utf-8") as file:
            found.update(int(i) for i in re.findall(rf"^{what}_id:\s*(\d+)", file.read(), re.M))
    return found


def program_ns(pid):
    mine = held(pid, "prog")
    return sum(p.get("run_time_ns", 0) for p in bpftool("prog") if p["id"] in mine and p["name"].startswith("on_"))


def measure(path, depth, method):
    """(ns for a pair, frames of its stack)"""
    programs = []
    try:
        target = start(programs, path, depth, PAIRS)
        assert target.out.wait_for("^READY", START_SECONDS), target
        trace = start(programs, LEAKTRACE, "-p", target.pid, "--stacks", method, "--format", "json", kind=Leaktrace)
        trace.wait_tracing()
        target.send()
        assert target.out.wait_for("^DONE", 120), target
        ns = program_ns(trace.pid)
        target.send()
        trace.wait()
        return ns / PAIRS, max(len(site["frames"]) for site in trace.document["sites"])
    finally:
        for program in programs:
            program.kill()


def walks(folder, rounds):
    """Rounds one after the other, each with all ways: the machine's mood is the same for all."""
    for flag in ("omit", "no-omit"):
        subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-g", f"-f{flag}-frame-pointer", "-o", f"{folder}/{flag}",
                        f"{HERE}/deep_calls.c"], check=True, timeout=60)
    found = {name: [] for name, _, _ in WAYS}
    for _ in range(rounds):
        for name, flag, method in WAYS:
            shallow, deep = (measure(f"{folder}/{flag}", depth, method) for depth in (SHALLOW, DEEP))
            found[name].append(((deep[0] - shallow[0]) / (deep[1] - shallow[1]), deep[0] / deep[1]))
    print(f"\n{'a walk, ns a frame':32}each more  all in all, with site and block")
    for name, values in found.items():
        print(f"{name:32}{statistics.median(v[0] for v in values):9.0f}  {statistics.median(v[1] for v in values):10.0f}")
    fp = statistics.median(v[0] for v in found[WAYS[2][0]])
    print(f"tables to bpf_get_stack: {statistics.median(v[0] for v in found[WAYS[0][0]]) / fp:.2f}")


def tables(name, *command):
    """How long the tables of a process take, and what the kernel's maps hold."""
    if not command[0]:
        print(f"{name:32}SKIPPED: not installed")
        return
    programs = []
    try:
        target = start(programs, *command)
        assert target.out.wait_for("^READY", START_SECONDS), target
        trace = start(programs, LEAKTRACE, "-v", "-p", target.pid, kind=Leaktrace).wait_tracing()
        said = trace.err.wait_for(r"unwind tables: (\d+) rows in ([\d.]+) ms", START_SECONDS)
        mine = held(trace.pid, "map")
        size = sum(m["bytes_memlock"] for m in bpftool("map") if m["id"] in mine and m["name"] in UNWIND_MAPS)
        print(f"{name:32}{int(said[1]):9} {float(said[2]):9.1f} {size / 2**20:9.1f}")
    finally:
        for program in programs:
            program.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if os.geteuid():
        print("tracing needs root: sudo make bench", file=sys.stderr)
        return 1
    with open(STATS, encoding="utf-8") as file:
        was = file.read()
    try:
        with open(STATS, "w", encoding="utf-8") as file:
            file.write("1")
        with tempfile.TemporaryDirectory(prefix="leaktrace-walks-") as folder:
            walks(folder, args.rounds)
    finally:
        with open(STATS, "w", encoding="utf-8") as file:
            file.write(was)
    print(f"\n{'unwind tables of':32}     rows        ms  MiB of maps")
    tables("python3 with extensions", "/usr/bin/python3", "-c",
           "import json, ctypes, sqlite3, ssl, decimal, asyncio; print('READY', flush=True); input()")
    tables("node", shutil.which("node"), "-e", "console.log('READY'); process.stdin.resume()")
    return 0


if __name__ == "__main__":
    sys.exit(main())
