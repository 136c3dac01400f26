# SPDX-License-Identifier: GPL-2.0-only
"""Each lint rule fires on a tree that breaks it, names the place, and is silent on one that does not."""
import os
import shutil
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINT = os.path.join(TOP, "tests", "lint", "lint.py")
SPDX = "/* SPDX-License-Identifier: GPL-2.0-only */\n"
CLANG_FORMAT_14 = "version 14." in subprocess.run(
    ["sh", "-c", "clang-format-14 --version || clang-format --version"], capture_output=True, text=True,
    check=False).stdout


@pytest.fixture
def tree(tmp_path):
    """A small tree without faults."""
    files = {
        "Makefile": "all:\n",
        "README.md": "Run `leaktrace --exact`.\n",
        "LICENSE": "GPL\n",
        "bpf/abi.h": SPDX + "#pragma once\n#ifndef __bpf__\n#include <stdint.h>\n#endif\n",
        "bpf/heap.bpf.c": SPDX + '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include "abi.h"\n',
        "user/base/err.h": SPDX + "#pragma once\n",
        "user/base/err.c": SPDX + '#include "base/err.h"\n\nint err(void)\n{\n\treturn 0;\n}\n',
        "user/collect/ring.h": SPDX + '#pragma once\n#include "abi.h"\n#include <bpf/libbpf.h>\n',
        "user/collect/reading.h": SPDX + "#pragma once\n",
        "user/account/sites.h": SPDX + '#pragma once\n#include "base/err.h"\n#include "collect/reading.h"\n',
        "vmlinux/vmlinux.h": SPDX + "#pragma once\n",
        "tests/unit/err_test.c": SPDX + '#include "base/err.h"\n',
        ".gitignore": "/.build/\n",
    }
    for name, text in files.items():
        put(tmp_path, name, text)
    os.makedirs(tmp_path / "tests/lint")
    shutil.copy(os.path.join(TOP, "tests/lint/layers.txt"), tmp_path / "tests/lint")
    shutil.copy(os.path.join(TOP, ".clang-format"), tmp_path)
    return tmp_path


def put(root, name, text, mode=0o644):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def lint(root, *rules):
    done = subprocess.run([sys.executable, LINT, "--root", str(root), *rules], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def failures(root, rule):
    """The file:line: message lines of a rule that must fail."""
    status, lines = lint(root, rule)
    assert status == 1
    assert lines[-1] == "lint: 0 passed, 1 failed, 0 skipped"
    assert lines[-2].startswith(f"lint: FAILED {rule}: ")
    return lines[:-2]


def test_a_good_tree_passes(tree):
    status, lines = lint(tree, "includes_point_backwards", "kernel_side_stands_alone", "sizes", "no_open_ends",
                         "first_lines", "bpf_names", "top_level")
    assert (status, lines) == (0, ["lint: 7 passed, 0 failed, 0 skipped"])


@pytest.mark.parametrize("name,include,message", [
    ("user/base/x.c", '"account/sites.h"', "account/sites.h: base comes before account"),
    ("user/account/x.h", '"report/text.h"', "report/text.h: account comes before report"),
    ("user/account/x.h", '"abi.h"', "abi.h: account must not know BPF"),
    ("user/account/x.h", '"collect/ring.h"', "collect/ring.h: brings abi.h, and account must not know BPF"),
    ("user/report/x.c", "<bpf/libbpf.h>", "bpf/libbpf.h: report must not know BPF"),
    ("user/cli/x.c", '"leaktrace.skel.h"', "leaktrace.skel.h: cli must not know BPF"),
    ("user/judge/x.c", "<linux/bpf.h>", "linux/bpf.h: judge must not know BPF"),
    ("user/select/x.c", '"../../bpf/abi.h"', "../../bpf/abi.h: select must not know BPF"),
    ("user/judge/x.c", '"../base/err.h"', '../base/err.h: name the stage, as in "base/err.h"'),
])
def test_include_against_the_flow(tree, name, include, message):
    put(tree, name, SPDX + f"#pragma once\n#include {include}\n")
    assert failures(tree, "includes_point_backwards") == [f"{name}:3: {message}"]


def test_the_driver_may_use_what_knows_bpf(tree):
    put(tree, "user/cli/x.c", SPDX + '#include "collect/ring.h"\n')
    assert lint(tree, "includes_point_backwards")[0] == 0


def test_unknown_stage(tree):
    put(tree, "user/misc/x.c", SPDX)
    assert failures(tree, "includes_point_backwards") == ["user/misc/x.c:1: user/misc is not in tests/lint/layers.txt"]


def test_kernel_side_includes_user_space(tree):
    put(tree, "bpf/x.bpf.c", SPDX + "#include <stdio.h>\n")
    assert failures(tree, "kernel_side_stands_alone") == [
        "bpf/x.bpf.c:2: stdio.h: the kernel side has only its own headers and libbpf's"]


def function(lines):
    """A function whose body, braces included, has so many lines."""
    return "void f(void)\n{\n" + "\tf();\n" * (lines - 2) + "}\n"


def test_sizes_at_their_limits(tree):
    put(tree, "user/base/long.c", SPDX + "\n" * 599)
    put(tree, "user/base/function.c", SPDX + function(60))
    status, lines = lint(tree, "sizes")
    assert status == 0
    assert lines == ["user/base/function.c:3: note: a function of 60 lines, better under 40",
                     "user/base/long.c:1: note: 600 lines, better under 300",
                     "lint: 1 passed, 0 failed, 0 skipped"]


def test_sizes_over_their_limits(tree):
    put(tree, "user/base/long.c", SPDX + "\n" * 600)
    put(tree, "bpf/function.h", SPDX + function(40) + function(61))
    put(tree, "tests/e2e/test_x.py", "def f():\n" + "    pass\n" * 61)
    assert failures(tree, "sizes") == [
        "bpf/function.h:44: a function of 61 lines, the limit is 60",
        "tests/e2e/test_x.py:1: a function of 62 lines, the limit is 60",
        "user/base/long.c:1: 601 lines, the limit is 600"]


def test_open_ends(tree):
    todo = "TO" "DO"
    put(tree, "user/base/x.c", SPDX + f"/* {todo} */\n/* {todo}: kernels before 6.6 need the other path */\n")
    assert failures(tree, "no_open_ends") == [f"user/base/x.c:2: {todo} without a reason"]


def test_first_lines(tree):
    put(tree, "user/base/x.c", "int x;\n")
    put(tree, "bpf/y.h", SPDX)
    assert failures(tree, "first_lines") == [
        "bpf/y.h:1: no #pragma once", "user/base/x.c:1: no SPDX-License-Identifier in the first lines"]


def test_bpf_names(tree):
    put(tree, "bpf/x.bpf.c", SPDX + """\
struct {
\tint (*type)[1];
} a_map_with_16_ch SEC(".maps");
struct map_ok a_map_with_15_c SEC(".maps");
char a_licence_may_be_longer[] SEC("license") = "GPL";
SEC("uprobe")
int BPF_KPROBE(a_program_of_many, int x)
{
\treturn 0;
}
SEC("raw_tp/sched_process_exit") int also_a_long_name(struct bpf_raw_tracepoint_args *ctx)
{
\treturn 0;
}
static int a_helper_may_have_any_name(void)
{
\treturn 0;
}
""")
    assert failures(tree, "bpf_names") == [
        "bpf/x.bpf.c:4: a_map_with_16_ch: 16 characters, the limit is 15",
        "bpf/x.bpf.c:8: a_program_of_many: 17 characters, the limit is 15",
        "bpf/x.bpf.c:12: also_a_long_name: 16 characters, the limit is 15"]


def test_a_map_declared_by_type_is_named_too(tree):
    put(tree, "bpf/x.bpf.c", SPDX + 'struct map_sites a_map_with_16_ch SEC(".maps");\n')
    assert failures(tree, "bpf_names") == ["bpf/x.bpf.c:2: a_map_with_16_ch: 16 characters, the limit is 15"]


def test_top_level(tree):
    put(tree, "notes.txt", "x\n")
    put(tree, "src/x.c", "x\n")
    (tree / "LICENSE").unlink()
    assert failures(tree, "top_level") == [
        "LICENSE:1: is missing from the top folder", "notes.txt:1: does not belong into the top folder",
        "src:1: does not belong into the top folder"]


def test_what_git_ignores_is_not_looked_at(tree):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q", str(tree)], check=True, timeout=20)
    put(tree, ".gitignore", "/ignored/\n")
    put(tree, "ignored/x.c", "x\n")
    assert lint(tree, "top_level")[0] == 0
    put(tree, "untracked/x.c", "x\n")
    assert failures(tree, "top_level") == ["untracked:1: does not belong into the top folder"]


@pytest.mark.skipif(not CLANG_FORMAT_14, reason="clang-format is not version 14")
def test_formatting(tree):
    assert lint(tree, "formatting")[0] == 0
    put(tree, "user/base/x.c", SPDX + "int f(void)\n{\n    return 0;\n}\n")
    assert failures(tree, "formatting") == ["user/base/x.c:3: not formatted: clang-format -i"]


def test_another_clang_format_is_skipped_loudly(tree, tmp_path_factory, monkeypatch):
    tools = tmp_path_factory.mktemp("tools")
    put(tools, "clang-format-14", "#!/bin/sh\necho clang-format version 15.0.1\n", 0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert lint(tree, "formatting") == (0, [
        "lint: SKIPPED formatting: clang-format is not version 14: clang-format version 15.0.1",
        "lint: 0 passed, 0 failed, 1 skipped"])


def test_documents(tree):
    status, lines = lint(tree, "documents_agree")
    assert (status, lines[-1]) == (0, "lint: 0 passed, 0 failed, 1 skipped")
    assert lines[0].endswith(".build/leaktrace is not built")
    put(tree, ".build/leaktrace", "#!/bin/sh\necho '  -e, --exact  every block'; echo '  --max-overhead PERCENT'\n", 0o755)
    assert failures(tree, "documents_agree") == ["user/cli/leaktrace.8:1: there is no man page"]
    put(tree, "user/cli/leaktrace.8", ".B \\-\\-exact\n.B \\-\\-max\\-overhead\n")
    assert lint(tree, "documents_agree") == (0, ["lint: 1 passed, 0 failed, 0 skipped"])
    put(tree, "user/cli/leaktrace.8", ".B \\-\\-exact\n.B \\-\\-gone\n")
    put(tree, "README.md", "git clone --depth 1 https://host/leaktrace\nUse `--old` or leaktrace -p 1 --older.\n")
    assert failures(tree, "documents_agree") == [
        "README.md:2: --old is not in --help", "README.md:2: --older is not in --help",
        "user/cli/leaktrace.8:1: --max-overhead is in --help only",
        "user/cli/leaktrace.8:2: --gone is not in --help"]


VMLINUX = SPDX + """#pragma once
typedef unsigned int u32;
enum {
\tBPF_ANY = %d,
};
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
\t%s;
};
#pragma clang attribute pop
"""


@pytest.mark.skipif(not os.path.exists("/sys/kernel/btf/vmlinux"), reason="this kernel has no BTF")
@pytest.mark.parametrize("value,field,expected", [
    (0, "int exit_code", []),
    (7, "int exit_code", ["vmlinux/vmlinux.h:5: BPF_ANY: 7 here, 0 in the kernel"]),
    (0, "int exit_kode", ["vmlinux/vmlinux.h:9: task_struct.exit_kode: the kernel has no such field"]),
    (0, "u32 start_time", ["vmlinux/vmlinux.h:9: task_struct.start_time: integer of 4 bytes here, "
                           "integer of 8 bytes in the kernel"]),
    (0, "char comm[15]", ["vmlinux/vmlinux.h:9: task_struct.comm: integer array of 15 bytes here, "
                          "integer array of 16 bytes in the kernel"]),
    (0, "struct file *mm", ["vmlinux/vmlinux.h:9: task_struct.mm: file pointer of 8 bytes here, "
                            "mm_struct pointer of 8 bytes in the kernel"]),
])
def test_vmlinux(tree, value, field, expected):
    put(tree, "vmlinux/vmlinux.h", VMLINUX % (value, field))
    if expected:
        assert failures(tree, "vmlinux_agrees") == expected
    else:
        assert lint(tree, "vmlinux_agrees") == (0, ["lint: 1 passed, 0 failed, 0 skipped"])


def test_unknown_rule_is_refused(tree):
    done = subprocess.run([sys.executable, LINT, "--root", str(tree), "no_such"], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 2
    assert "no rule no_such" in done.stderr
