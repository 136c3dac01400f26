# SPDX-License-Identifier: GPL-2.0-only
"""Rules about the text of the sources."""
import ast
import os
import re

from tree import Failure

C_SUFFIXES = (".c", ".h", ".cc")
C_FOLDERS = ("bpf", "user", "tests")

FILE_NOTE, FILE_LIMIT = 300, 600
FUNCTION_NOTE, FUNCTION_LIMIT = 40, 60
BPF_NAME_LIMIT = 15  # the kernel keeps 16 bytes and cuts the rest

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
KERNEL_SIDE = re.compile(r"^(bpf/|linux/bpf|.*\.skel\.h$|vmlinux\.h$)")


def read_layers(tree):
    """stage → (position, the words after it)"""
    layers = {}
    for _, line in tree.lines("tests/lint/layers.txt"):
        words = line.split("#")[0].split()
        if words:
            layers[words[0]] = (len(layers), words[1:])
    return layers


def includes(tree, name):
    """(line, bracket, target) of each #include"""
    for number, line in tree.lines(name):
        match = INCLUDE.match(line)
        if match:
            yield number, *match.groups()


def resolve(tree, name, target):
    """The file of user/ that a quoted include means; None when it is none of ours."""
    for path in (os.path.normpath(os.path.join(os.path.dirname(name), target)), f"user/{target}"):
        if path in tree.files and path.startswith("user/"):
            return path
    return None


def kernel_side(tree, target):
    own = {os.path.basename(name) for name in tree.select(("bpf",), (".h",))}
    return bool(KERNEL_SIDE.match(re.sub(r"^(\.\./)+", "", target))) or target in own


def reaches_kernel_side(tree, name, seen):
    """The kernel-side header that including this file brings along, if any."""
    seen.add(name)
    for _, bracket, target in includes(tree, name):
        inner = resolve(tree, name, target) if bracket == '"' else None
        if not inner and kernel_side(tree, target):
            return target
        found = inner and inner not in seen and reaches_kernel_side(tree, inner, seen)
        if found:
            return found
    return None


def includes_point_backwards(tree):
    """a stage includes only itself and earlier stages; only the stages up to collect know BPF"""
    layers = read_layers(tree)
    for name in tree.select(("user",), C_SUFFIXES):
        stage = name.split("/")[1]
        if stage not in layers:
            yield Failure(name, 1, f"user/{stage} is not in tests/lint/layers.txt")
            continue
        for number, bracket, target in includes(tree, name):
            problem = include_problem(layers, tree, name, bracket, target)
            if problem:
                yield Failure(name, number, problem)


def include_problem(layers, tree, name, bracket, target):
    stage = name.split("/")[1]
    position, words = layers[stage]
    path = resolve(tree, name, target) if bracket == '"' else None
    if "bpf" not in words:
        if not path and kernel_side(tree, target):
            return f"{target}: {stage} must not know BPF"
        brought = path and "drives" not in words and reaches_kernel_side(tree, path, set())
        if brought:
            return f"{target}: brings {brought}, and {stage} must not know BPF"
    if target.startswith(".."):
        return f'{target}: name the stage, as in "base/err.h"'
    other = target.split("/")[0]
    if bracket == '"' and "/" in target and other in layers and layers[other][0] > position:
        return f"{target}: {stage} comes before {other}"
    return None


def kernel_side_stands_alone(tree):
    """bpf/ includes only its own headers, vmlinux.h and libbpf's"""
    own = {os.path.basename(name) for name in tree.select(("bpf", "vmlinux"), (".h",))}
    # abi.h is shared: what user space needs to read it stands behind #ifndef __bpf__.
    user_side = ("stdint.h", "stdbool.h", "stddef.h")
    for name in tree.select(("bpf",), C_SUFFIXES):
        for number, _, target in includes(tree, name):
            if target not in own and target not in user_side and not target.startswith("bpf/bpf_"):
                yield Failure(name, number, f"{target}: the kernel side has only its own headers and libbpf's")


def sizes(tree):
    """files up to 600 lines, functions up to 60; over 300 and 40 are noted"""
    for name in tree.select(C_FOLDERS, C_SUFFIXES) + tree.select(("tests",), (".py",)):
        length = len(tree.text(name).splitlines())
        if length > FILE_LIMIT:
            yield Failure(name, 1, f"{length} lines, the limit is {FILE_LIMIT}")
        elif length > FILE_NOTE:
            tree.note(name, 1, f"{length} lines, better under {FILE_NOTE}")
        functions = python_functions(tree.text(name)) if name.endswith(".py") else c_functions(tree, name)
        for line, count in functions:
            if count > FUNCTION_LIMIT:
                yield Failure(name, line, f"a function of {count} lines, the limit is {FUNCTION_LIMIT}")
            elif count > FUNCTION_NOTE:
                tree.note(name, line, f"a function of {count} lines, better under {FUNCTION_NOTE}")


def c_functions(tree, name):
    """(line, number of lines) of each body: from a brace in the first column to the next that closes there"""
    start = None
    for number, line in tree.lines(name):
        if line.startswith("{") and start is None:
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1
            start = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


def no_open_ends(tree):
    """no marker of unfinished work without a reason of some words after it"""
    marker = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "XX" "X")) + r")\b:?(.*)")
    for name in tree.select(("bpf", "user", "tests", "vmlinux", "Makefile"), C_SUFFIXES + (".py", ".sh", "Makefile")):
        for number, line in tree.lines(name):
            match = marker.search(line)
            if match and len(match[2].split()) < 4:
                yield Failure(name, number, f"{match[1]} without a reason")


def first_lines(tree):
    """every C file names its licence, every header is read once"""
    for name in tree.select(C_FOLDERS + ("vmlinux",), C_SUFFIXES):
        if "SPDX-License-Identifier:" not in "".join(tree.text(name).splitlines(True)[:3]):
            yield Failure(name, 1, "no SPDX-License-Identifier in the first lines")
        if name.endswith(".h") and not re.search(r"^#pragma once$", tree.text(name), re.M):
            yield Failure(name, 1, "no #pragma once")


PROGRAM = re.compile(r'SEC\("(?!license"|\.maps"|\.)[^"]+"\)[\s\w]*?\b(?:int|long)\s+'
                     r"(?:BPF_\w+\s*\(\s*(\w+)|(\w+)\s*\()")
MAP = re.compile(r'^(?:\}|(?:extern\s+)?struct\s+\w+)\s*(\w+)\s*SEC\("\.maps"\)', re.M)


def bpf_names(tree):
    """programs and maps have names of at most 15 characters: the kernel shows no more"""
    for name in tree.select(("bpf",), (".c", ".h")):
        text = tree.text(name)
        for match in [*PROGRAM.finditer(text), *MAP.finditer(text)]:
            word = next(group for group in match.groups() if group)
            if len(word) > BPF_NAME_LIMIT:
                line = text.count("\n", 0, match.end()) + 1
                yield Failure(name, line, f"{word}: {len(word)} characters, the limit is {BPF_NAME_LIMIT}")


RULES = [includes_point_backwards, kernel_side_stands_alone, sizes, no_open_ends, first_lines, bpf_names]
