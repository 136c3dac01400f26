#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a pair of malloc and free costs by where its probes sit, with programs that do nothing; and how long detaching takes.

    LEAKTRACE_BUILD=… places.py [--rounds N]

The floor is what a person chooses who reads the disassembly: the first push of malloc, and the first of free behind its
test for NULL. "first" is the first instruction of both, as other tools have it. Nothing here passes or fails.
"""
import argparse
import collections
import os
import re
import statistics
import subprocess
import sys

BUILD = os.environ["LEAKTRACE_BUILD"]


def libc():
    """The C library that this interpreter has mapped."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(re.findall(r"(/\S*/libc\.so\.6)$", maps.read(), re.M).__iter__())


def first_push(path, function):
    """File offset of the first push of a function; its code lies at the same distance from the file's start as objdump -F says."""
    text = subprocess.run(["objdump", "-dF", "--no-show-raw-insn", path], capture_output=True, text=True, check=True,
                          timeout=120).stdout
    head = re.search(rf"^([0-9a-f]+) <(?:\w+@@)?(?:__libc_)?{function}@@\S+> \(File Offset: (0x[0-9a-f]+)\):\n(.*?)\n\n", text,
                     re.M | re.S)
    push = re.search(r"^ *([0-9a-f]+):\tpush ", head[3], re.M)
    return int(head[2], 16) + int(push[1], 16) - int(head[1], 16)


def measure(path, attach_path, rounds):
    offsets = [str(first_push(path, function)) for function in ("malloc", "free")]
    output = subprocess.run([f"{BUILD}/places", path, attach_path, *offsets, str(rounds)], capture_output=True, text=True,
                            check=False, timeout=600)
    if output.returncode:
        print(f"{attach_path:10}SKIPPED: {output.stderr.strip()}")
        return
    found = collections.defaultdict(list)
    for name, *figures in re.findall(r"^PAIR (\w+) (\S+) (\S+) (\S+)$", output.stdout, re.M):
        found[name].append([float(figure) for figure in figures])
    ratio = [mine[0] / floor[0] for mine, floor in zip(found["planned"], found["floor"])]
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}
    print(f"{attach_path:10}{median['first'][0]:9.0f}{median['floor'][0]:9.0f}{median['planned'][0]:9.0f}"
          f"{statistics.median(ratio):10.2f}{median['planned'][1]:11.1f}{median['planned'][2]:11.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    if os.geteuid():
        print("tracing needs root: sudo make bench", file=sys.stderr)
        return 1
    print(f"\n{'probes':10}{'ns a pair: first':>9}{'floor':>8}{'planned':>9}{'ratio':>6}  attach ms  detach ms")
    for attach_path in ("session", "multi", "perf"):
        measure(libc(), attach_path, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
