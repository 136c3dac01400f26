#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""How many whole call stacks are right: leaktrace's unwind tables and the kernel's bpf_get_stack() against libdwfl.

    LEAKTRACE=… LEAKTRACE_BUILD=… stacks.py [--only WORD]

Each program runs twice, once for each way, stopped at every call of malloc, calloc and realloc to be walked by libdwfl
as well (tests/golden). A stack is right when all its return addresses are. Nothing here passes or fails. Exit status: 1
if nothing could be measured.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import golden  # noqa: E402  after the lines that say where from
import redis_server  # noqa: E402
from programs import Leaktrace, Program  # noqa: E402

LEAKTRACE = os.environ.get("LEAKTRACE", f"{golden.BUILD}/leaktrace")
WAYS = {"tables": "leaktrace's tables", "fp": "bpf_get_stack"}
SECONDS = 900


class Lab:
    """What golden.Run asks of a test's lab."""

    def __init__(self, folder):
        self.tmp = pathlib.Path(folder)
        self.programs = []

    def program(self, *command, **options):
        self.programs.append(Program(["setpriv", "--pdeathsig", "KILL", *command], **options))
        return self.programs[-1]

    def start(self, *args):
        self.programs.append(Leaktrace(["setpriv", "--pdeathsig", "KILL", LEAKTRACE, *args]))
        return self.programs[-1]

    def clear(self):
        while self.programs:
            self.programs.pop().kill()


@dataclass
class Subject:
    command: list
    allocator: str = "libc.so"  # in the path of the file that has it
    meanwhile: object = None    # what to do while it runs


def redis(folder):
    server, client = shutil.which("redis-server"), shutil.which("redis-cli")
    if not server or not client:
        return None
    return Subject(redis_server.command(server, folder), "libjemalloc.so", lambda: redis_server.ask(client, folder))


def subjects(folder):
    """name → Subject, or None where it is not installed."""
    source = folder / "program.c"
    source.write_text("\n".join(f"int f{i}(int *x, int n) {{ int r = {i}; while (n--) r += x[n] * {i}; return r; }}"
                                for i in range(8)))
    clang, perl, sqlite = (shutil.which(name) for name in ("clang", "perl", "sqlite3"))
    return {
        "C++ (map, regex, exceptions)": Subject([f"{golden.BUILD}/victims/stacks_cpp"]),
        "C, gcc -O2": Subject([f"{golden.BUILD}/stacks/gcc+O2"]),
        "C, gcc -O2, frame pointers": Subject([f"{golden.BUILD}/stacks/gcc+O2+fno-omit-frame-pointer"]),
        "C, gcc -O2, static": Subject([f"{golden.BUILD}/stacks/gcc+O2+static"], "stacks/gcc+O2+static"),
        "python3, imports": Subject(["/usr/bin/python3", "-c", "import json, ctypes, sqlite3, ssl, decimal, asyncio"]),
        "perl": perl and Subject([perl, "-MPOSIX", "-e",
                                  "my %h; $h{$_} = [1 .. $_ % 9] for 1 .. 300; print join ',', sort keys %h"]),
        "sqlite3": sqlite and Subject([sqlite, ":memory:",
                                       "create table t(a, b); insert into t values(1, 'x'), (2, 'y');"
                                       "select b, count(*) from t group by b order by 2;"]),
        "redis-server, jemalloc": redis(folder),
        "clang -cc1 -O2": clang and Subject([clang, "-cc1", "-triple", "x86_64-pc-linux-gnu", "-emit-obj", "-O2", "-o",
                                             folder / "program.o", source]),
    }


def can_choose():
    return subprocess.run([LEAKTRACE, "--stacks", "tables", "--version"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=10, check=False).returncode == 0


def measure(lab, subject, options):
    """(stacks, right ones, stacks whose direct caller is right)"""
    run = golden.Run(lab, *subject.command, functions=(*golden.FUNCTIONS, "posix_memalign"),
                     options=["-m", subject.allocator])
    _, document = run.observe(*options, seconds=SECONDS, meanwhile=subject.meanwhile)
    result = run.compare(document)
    wanted, found = run.stacks(), golden.read_leaktrace(document, run.pid)
    callers = {(name, chain[:1]) for name, stacks in found.items() for chain in stacks}
    direct = sum((name, chain[:1]) in callers for name in run.functions for chain in wanted[name])
    return result.stacks, result.stacks - len(result.missing), direct


def show(name, measured):
    cells = [f"{right:6} of {stacks:<6} {100 * right / stacks:5.1f} %" for stacks, right, _ in measured]
    print(f"{name:30} {'  '.join(cells)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="programs with this in their name")
    args = parser.parse_args()
    if os.geteuid():
        print("tracing needs root: sudo make stacks", file=sys.stderr)
        return 1
    ways = list(WAYS) if can_choose() else ["fp"]
    print(f"{'whole stacks right':30} " + "  ".join(f"{WAYS[way]:24}" for way in ways))
    shown = 0
    with tempfile.TemporaryDirectory(prefix="leaktrace-stacks-") as folder:
        lab = Lab(folder)
        for name, subject in subjects(lab.tmp).items():
            if args.only not in name:
                continue
            if not subject:
                print(f"{name:30} SKIPPED: not installed")
                continue
            try:
                show(name, [measure(lab, subject, ["--stacks", way] if len(ways) > 1 else []) for way in ways])
                shown += 1
            finally:
                lab.clear()
    return 0 if shown else 1


if __name__ == "__main__":
    sys.exit(main())
