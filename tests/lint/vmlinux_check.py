# SPDX-License-Identifier: GPL-2.0-only
"""Compare vmlinux/vmlinux.h with a kernel's own type information.

Every struct field must exist there with the same kind and size, and every enumerator must have the same value. A slip
here is not caught by the compiler: the program would be refused, or read the wrong thing, on some kernel.

    vmlinux_check.py [--header FILE] [--btf FILE] [--quiet]

Exit status: 0 agrees, 1 differs (one line each), 2 could not be checked.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER = os.path.join(TOP, "vmlinux", "vmlinux.h")
KERNEL = "/sys/kernel/btf/vmlinux"

# Fields that some supported kernels lack; the code asks bpf_core_field_exists() before it reads them.
OPTIONAL = {("signal_struct", "group_exec_task"), ("backing_file", "user_path")}
# Unsigned in every kernel but not of one size; libbpf widens or narrows the load when the program is loaded.
RESIZED = {("pt_regs", "cs"), ("pt_regs", "ss")}

# Enumerators the check itself adds, and how it knows them.
PREFIX = "check_"


class Unchecked(Exception):
    """The comparison could not be made."""


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except OSError as error:
        raise Unchecked(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise Unchecked(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Btf:
    """The types of one BTF file, found by name."""

    def __init__(self, path):
        types = json.loads(run([os.environ.get("BPFTOOL") or "bpftool", "btf", "dump", "-j", "file", path, "format", "raw"]))["types"]
        self.types = {t["id"]: t for t in types}
        self.records = {}
        self.enumerators = {}
        self.typedefs = {}
        for t in types:
            if t["kind"] in ("STRUCT", "UNION") and t["name"] != "(anon)":
                self.records.setdefault(t["name"], t)
            elif t["kind"] == "TYPEDEF":
                self.typedefs.setdefault(t["name"], t)
            elif t["kind"] in ("ENUM", "ENUM64"):
                for value in t.get("values", ()):
                    # 32-bit enums are printed with or without a sign; both mean the same bits.
                    self.enumerators.setdefault(value["name"], value["val"] & 0xFFFFFFFFFFFFFFFF)

    def resolve(self, type_id):
        """The type behind typedefs and qualifiers; None is void."""
        t = self.types.get(type_id)
        while t and t["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"):
            t = self.types.get(t["type_id"])
        return t

    def members(self, record):
        """name → type id, those of anonymous members included."""
        found = {}
        for member in record.get("members", ()):
            if member["name"] != "(anon)":
                found[member["name"]] = member["type_id"]
                continue
            inner = self.resolve(member["type_id"])
            if inner and inner["kind"] in ("STRUCT", "UNION"):
                found.update(self.members(inner))
        return found

    def describe(self, type_id):
        """What a load of this type depends on: (kind, size in bytes, detail)."""
        t = self.resolve(type_id)
        if not t:
            return ("void", 0, "")
        if t["kind"] in ("INT", "ENUM", "ENUM64"):
            return ("integer", t["size"], "signed" if t.get("encoding") == "SIGNED" else "")
        if t["kind"] == "PTR":
            target = self.resolve(t["type_id"])
            named = target and target["kind"] in ("STRUCT", "UNION", "FWD")
            return ("pointer", 8, target["name"] if named else "")
        if t["kind"] == "ARRAY":
            kind, size, _ = self.describe(t["type_id"])
            return ("array", size * t["nr_elems"], kind)
        # A struct inside a struct may have more fields there; those in use are compared on their own.
        return ("record", 0, "")


def wrapper(header_text):
    """A C file that uses every type of the header, since clang describes only what is used."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header_text, flags=re.S)
    lines = ['#include "vmlinux.h"']
    for name in re.findall(r"^struct (\w+) \{", text, flags=re.M):
        lines.append(f"struct {name} {PREFIX}{name};")
    for name in re.findall(r"^\} (\w+);", text, flags=re.M):
        lines.append(f"{name} {PREFIX}{name};")
    enumerators = []
    for body in re.findall(r"^enum[^{;]*\{(.*?)\}", text, flags=re.M | re.S):
        enumerators += re.findall(r"^\s*([A-Z_a-z]\w*)", body, flags=re.M)
    if enumerators:
        values = ", ".join(f"{PREFIX}{name} = {name}" for name in enumerators)
        lines.append(f"enum {PREFIX}values {{ {values} }} {PREFIX}enumerators;")
    return "\n".join(lines) + "\n"


def compile_header(header):
    with open(header, encoding="utf-8") as file:
        source = wrapper(file.read())
    with tempfile.TemporaryDirectory() as folder:
        c_file, obj = os.path.join(folder, "check.c"), os.path.join(folder, "check.o")
        with open(c_file, "w", encoding="utf-8") as file:
            file.write(source)
        run([os.environ.get("CLANG", "clang"), "-g", "-O2", "-target", "bpf", "-I", os.path.dirname(header) or ".",
             "-c", c_file, "-o", obj])
        return Btf(obj)


def compare_record(name, mine, theirs, ours_record, kernel_record):
    kernel_fields = theirs.members(kernel_record)
    for field, type_id in mine.members(ours_record).items():
        if field not in kernel_fields:
            if (name, field) not in OPTIONAL:
                yield f"{name}.{field}: the kernel has no such field"
            continue
        ours, kernel = mine.describe(type_id), theirs.describe(kernel_fields[field])
        if (name, field) in RESIZED and ours[0] == kernel[0] == "integer" and ours[2] == kernel[2] == "":
            continue
        if ours[0] == kernel[0] == "pointer" and "" in (ours[2], kernel[2]):
            continue
        if ours != kernel:
            yield f"{name}.{field}: {describe(ours)} here, {describe(kernel)} in the kernel"


def describe(what):
    kind, size, detail = what
    return " ".join(word for word in (detail, kind, f"of {size} bytes" if size else "") if word)


def compare(mine, theirs):
    """One line for each difference."""
    for name, record in sorted(mine.records.items()):
        if name not in theirs.records:
            yield f"{name}: the kernel has no such struct"
        else:
            yield from compare_record(name, mine, theirs, record, theirs.records[name])
    for name, typedef in sorted(mine.typedefs.items()):
        record = mine.resolve(typedef["type_id"])
        if not record or record["kind"] != "STRUCT" or record["name"] != "(anon)":
            continue
        other = theirs.typedefs.get(name)
        if not other:
            yield f"{name}: the kernel has no such typedef"
        else:
            yield from compare_record(name, mine, theirs, record, theirs.resolve(other["type_id"]))
    for name, value in sorted(mine.enumerators.items()):
        name = name[len(PREFIX):] if name.startswith(PREFIX) else name
        if name not in theirs.enumerators:
            yield f"{name}: the kernel has no such enumerator"
        elif (theirs.enumerators[name] ^ value) & 0xFFFFFFFF:
            yield f"{name}: {value} here, {theirs.enumerators[name]} in the kernel"


def check(header=HEADER, kernel=KERNEL):
    """(differences, number of things compared); raises Unchecked."""
    if not os.path.exists(kernel):
        raise Unchecked(f"{kernel} does not exist: the kernel was built without CONFIG_DEBUG_INFO_BTF")
    mine, theirs = compile_header(header), Btf(kernel)
    compared = sum(len(mine.members(r)) for r in mine.records.values()) + len(mine.enumerators)
    return sorted(set(compare(mine, theirs))), compared


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--header", default=HEADER)
    parser.add_argument("--btf", default=KERNEL)
    parser.add_argument("--quiet", action="store_true")
    args = parser.parse_args()
    try:
        differences, compared = check(args.header, args.btf)
    except Unchecked as reason:
        print(f"not checked: {reason}", file=sys.stderr)
        return 2
    for line in differences:
        print(f"{args.header}: {line}")
    if not args.quiet:
        print(f"{compared} fields and values compared with {args.btf}, {len(differences)} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
