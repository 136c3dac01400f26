#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check what the compiler does not. Each rule passes, fails (file:line: message) or is skipped, loudly.

    lint.py [--root DIR] [--build DIR] [RULE...]
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True

import source_rules  # noqa: E402  after the line that keeps bytecode out of the tree
import tree_rules  # noqa: E402
from tree import Skip, Tree  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = {rule.__name__: rule for rule in source_rules.RULES + tree_rules.RULES}


def run_rule(rule, tree):
    """"passed", "failed" or "skipped"; prints what a person must see."""
    try:
        failures = sorted(rule(tree))
    except Skip as reason:
        print(f"lint: SKIPPED {rule.__name__}: {reason}")
        return "skipped"
    for failure in failures:
        print(failure)
    if failures:
        print(f"lint: FAILED {rule.__name__}: {rule.__doc__} ({len(failures)} times not)")
        return "failed"
    return "passed"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=TOP)
    parser.add_argument("--build", default=".build")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="one of: " + " ".join(RULES))
    args = parser.parse_args()
    unknown = [name for name in args.rules if name not in RULES]
    if unknown:
        parser.error(f"no rule {unknown[0]}; there are: {' '.join(RULES)}")
    tree = Tree(args.root, args.build)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in args.rules or RULES:
        counts[run_rule(RULES[name], tree)] += 1
    for note in sorted(set(tree.notes)):
        print(f"{note.path}:{note.line}: note: {note.message}")
    print("lint: " + ", ".join(f"{number} {word}" for word, number in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
