# SPDX-License-Identifier: GPL-2.0-only
"""Rules about the tree as a whole, and those that ask another program."""
import os
import re
import shutil
import subprocess

import vmlinux_check
from tree import Failure, Skip

TOP_LEVEL = {"Makefile", "bpf", "user", "tests", "vmlinux", "README.md", "LICENSE"}
CLANG_FORMAT_VERSION = "14"
MAN = "user/cli/leaktrace.8"
README = "README.md"


def top_level(tree):
    """the top folder holds Makefile bpf user tests vmlinux README.md LICENSE and dot files"""
    present = {name.split("/")[0] for name in tree.files}
    for name in sorted(present - TOP_LEVEL):
        if not name.startswith("."):
            yield Failure(name, 1, "does not belong into the top folder")
    for name in sorted(TOP_LEVEL - present):
        yield Failure(name, 1, "is missing from the top folder")


def formatting(tree):
    """clang-format agrees"""
    tool = shutil.which("clang-format-" + CLANG_FORMAT_VERSION) or shutil.which("clang-format")
    if not tool:
        raise Skip("clang-format is not installed")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    if f"version {CLANG_FORMAT_VERSION}." not in version:
        raise Skip(f"clang-format is not version {CLANG_FORMAT_VERSION}: {version.strip()}")
    names = tree.select(("bpf", "user", "tests", "vmlinux"), (".c", ".h", ".cc"))
    if not names:
        return
    done = subprocess.run([tool, "--dry-run", "-Werror", "--style=file", "--ferror-limit=0", *names], cwd=tree.root,
                          capture_output=True, text=True, check=False, timeout=300)
    wrong = re.findall(r"^([^\s:]+):(\d+):\d+: error: (.*?)(?: \[.*)?$", done.stderr, re.M)
    for path, line in sorted({(path, int(line)) for path, line, _ in wrong}):
        yield Failure(path, line, "not formatted: clang-format -i")
    if done.returncode and not wrong:
        yield Failure(".clang-format", 1, done.stderr.strip())


def long_options(text):
    return set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*[a-z0-9])", text))


def readme_options(text):
    """Options of leaktrace: after its name on a line, or opening a code span. Other programs' options are not meant."""
    found = set()
    for line in text.splitlines():
        _, name, after = line.partition("leaktrace ")
        found |= long_options(after if name else "")
        found |= long_options(" ".join(re.findall(r"`(--[a-z0-9-]+)", line)))
    return found


def line_of(text, option):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(rf"--{re.escape(option)}(?![\w-])", line):
            return number
    return 1


def documents_agree(tree):
    """--help, the man page and README.md name the same long options"""
    program = os.path.join(tree.build, "leaktrace")
    if not os.access(program, os.X_OK):
        raise Skip(f"{program} is not built")
    if MAN not in tree.files:
        yield Failure(MAN, 1, "there is no man page")
        return
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=10)
    shown = long_options(done.stdout + done.stderr)
    man = tree.text(MAN).replace("\\-", "-")
    readme = tree.text(README) if README in tree.files else ""
    for option in sorted(shown - long_options(man)):
        yield Failure(MAN, 1, f"--{option} is in --help only")
    for option in sorted(long_options(man) - shown):
        yield Failure(MAN, line_of(man, option), f"--{option} is not in --help")
    for option in sorted(readme_options(readme) - shown):
        yield Failure(README, line_of(readme, option), f"--{option} is not in --help")


def vmlinux_agrees(tree):
    """vmlinux/vmlinux.h agrees with the running kernel"""
    name = "vmlinux/vmlinux.h"
    if name not in tree.files:
        raise Skip(f"there is no {name}")
    try:
        differences, _ = vmlinux_check.check(os.path.join(tree.root, name))
    except vmlinux_check.Unchecked as reason:
        raise Skip(str(reason)) from reason
    for difference in differences:
        word = re.match(r"(\w+\.)?(\w+)", difference)[2]
        line = next((n for n, text in tree.lines(name) if re.search(rf"\b{word}\b", text)), 1)
        yield Failure(name, line, difference)


RULES = [top_level, formatting, documents_agree, vmlinux_agrees]
