# SPDX-License-Identifier: GPL-2.0-only
"""The Makefile, on a copy of the tree: what it builds, what it rebuilds, what it installs and leaves behind."""
import os
import re
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ["Makefile", "bpf", "user", "vmlinux", "tests/victims", "tests/deps.sh", "tests/demo.sh"]
# What a linked library may be; all come with a package of `make deps`.
LIBRARIES = r"lib(c|m|z|elf|dw|bpf|jansson|cap|lzma|Zydis|Zycore)\.so\.[\d.]+|ld-linux-x86-64\.so\.2"


def run(command, cwd, check=True, **env):
    # make sets these for its children, and this test may be one.
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300,
                          env={**clean, **env})
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


class Tree:
    def __init__(self, root, build):
        self.root, self.build = root, build

    def make(self, *args, check=True, **env):
        return run(["make", f"BUILD={self.build}", "CFLAGS=-O1 -g", *args], self.root, check, **env)

    def files(self):
        return {os.path.relpath(os.path.join(folder, name), self.root)
                for folder, _, names in os.walk(self.root) for name in names}

    def touch(self, name):
        os.utime(self.root / name)


def steps(done):
    """"CC user/base/err.c" of each line that make printed"""
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line.startswith("  ")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        source = os.path.join(TOP, part)
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / part)
    return Tree(root, tmp_path_factory.mktemp("build") / "out")


@pytest.fixture(scope="module")
def tree(copy):
    """Built once, from nothing, in parallel."""
    before = copy.files()
    copy.make("-j8")
    assert copy.files() == before, "the build wrote into the sources"
    return copy


def test_the_result_is_one_position_independent_file(tree):
    program = tree.build / "leaktrace"
    header = run(["readelf", "-hldW", program], "/").stdout
    assert re.search(r"Type:\s+DYN \(Position-Independent", header)
    assert "GNU_RELRO" in header and "BIND_NOW" in header
    needed = re.findall(r"Shared library: \[(.*?)\]", header)
    assert needed and [name for name in needed if not re.fullmatch(LIBRARIES, name)] == []
    assert "not found" not in run(["ldd", program], "/").stdout


def test_it_runs_from_anywhere(tree, tmp_path):
    shutil.copy2(tree.build / "leaktrace", tmp_path / "moved")
    done = run([tmp_path / "moved", "--version"], "/")
    assert re.search(r"\b\d+\.\d+\.\d+\b", done.stdout)


def test_a_second_make_does_nothing(tree):
    done = tree.make()
    assert (done.stdout, done.stderr) == ("", "")


def test_a_touched_header_rebuilds_what_includes_it(tree):
    tree.touch("user/judge/verdict.h")
    done = steps(tree.make())
    assert "CC user/judge/verdict.c" in done
    assert "CC user/base/units.c" not in done
    assert done[-1] == f"LINK {tree.build}/leaktrace"
    assert steps(tree.make()) == []


def test_a_touched_bpf_header_rebuilds_the_skeleton_and_its_user(tree):
    tree.touch("bpf/abi.h")
    done = steps(tree.make())
    assert [step for step in done if step.startswith("BPF ")] != []
    assert f"SKEL {tree.build}/gen/leaktrace.skel.h" in done
    assert done[-1] == f"LINK {tree.build}/leaktrace"
    assert steps(tree.make()) == []


def test_other_flags_rebuild(tree):
    target = str(tree.build / "user/base/err.o")
    assert steps(tree.make(target, "CFLAGS=-O2")) == ["CC user/base/err.c"]
    assert steps(tree.make(target, "CFLAGS=-O2")) == []
    assert steps(tree.make()) != []


def test_v_1_shows_commands(tree):
    tree.touch("user/base/err.c")
    done = tree.make("V=1", str(tree.build / "user/base/err.o"))
    assert steps(done) == []
    assert re.search(r"^gcc .*-Werror.* -c user/base/err.c ", done.stdout, re.M)


def test_a_failed_compilation_fails_make_and_leaves_no_object(tree):
    extra = tree.root / "user/base/broken.c"
    extra.write_text("int f(void) { }\n")
    try:
        done = tree.make(check=False)
        assert done.returncode != 0 and "broken.c" in done.stderr
        assert not (tree.build / "user/base/broken.o").exists()
    finally:
        extra.unlink()
    tree.make()


def test_install_and_uninstall(tree, tmp_path):
    man = {"opt/lt/share/man/man8/leaktrace.8"} if (tree.root / "user/cli/leaktrace.8").exists() else set()
    tree.make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/lt")
    installed = {os.path.relpath(os.path.join(folder, name), tmp_path)
                 for folder, _, names in os.walk(tmp_path) for name in names}
    assert installed == {"opt/lt/sbin/leaktrace"} | man
    assert (tmp_path / "opt/lt/sbin/leaktrace").stat().st_mode & 0o777 == 0o755
    tree.make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/opt/lt")
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []


def version(tree):
    tree.make(str(tree.build / "gen/version.h"))
    return re.search(r'LEAKTRACE_VERSION "(.*)"', (tree.build / "gen/version.h").read_text())[1]


def test_version_without_and_with_git(copy):
    release = re.search(r"^RELEASE = (.*)$", (copy.root / "Makefile").read_text(), re.M)[1]
    # A repository around the tree is not its history.
    shutil.rmtree(copy.root / ".git", ignore_errors=True)
    assert version(copy) == release
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    identity = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    try:
        run(["git", "init", "-q"], copy.root)
        run(["git", "add", "Makefile"], copy.root)
        run(["git", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "x"], copy.root, **identity)
        assert re.fullmatch(re.escape(release) + r"\+g[0-9a-f]{7,40}", version(copy))
        (copy.root / "Makefile").write_text((copy.root / "Makefile").read_text() + "\n")
        assert re.fullmatch(re.escape(release) + r"\+g[0-9a-f]{7,40}-dirty", version(copy))
    finally:
        shutil.rmtree(copy.root / ".git", ignore_errors=True)


def test_clean_removes_what_was_built_and_nothing_else(copy, tmp_path):
    build = tmp_path / "out"
    for keep in (False, True):
        run(["make", f"BUILD={build}", "demo"], copy.root)
        assert (build / "victims/demo_server").exists()
        if keep:
            (build / "mine").write_text("x")
        run(["make", f"BUILD={build}", "clean"], copy.root)
        assert (sorted(os.listdir(build)) if build.exists() else None) == (["mine"] if keep else None)


def test_a_victim_chooses_its_own_flags(copy, tmp_path):
    (copy.root / "tests/victims/flags.c").write_text(
        "// CFLAGS: -O2 -DNUMBER=42\n// LIBS: -lm\n#include <math.h>\n#include <stdio.h>\n"
        "int main(int argc, char **argv)\n{\n\t(void)argv;\n#ifdef __OPTIMIZE__\n"
        '\tprintf("%d %.1f\\n", NUMBER, sqrt(argc * 4.0));\n#endif\n\treturn 0;\n}\n')
    program = tmp_path / "out/victims/flags"
    run(["make", f"BUILD={tmp_path}/out", program], copy.root)
    assert run([program], "/").stdout == "42 2.0\n"


def test_help_names_every_target(copy):
    text = run(["make", "help"], copy.root).stdout
    for target in "all deps run test unit e2e soak bench lint install uninstall clean help".split():
        assert re.search(rf"^  {target} ", text, re.M), target


@pytest.fixture
def tools(tmp_path):
    """A folder of stand-ins for programs that deps.sh and the Makefile call; they log how they were called."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def tool(name, script):
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{folder}/log"\n{script}\n')
        path.chmod(0o755)

    tool("id", "echo 0")
    tool("dpkg-query", "printf 'installed gcc\\nnot-installed clang\\ninstalled nginx\\n'; exit 1")
    tool("apt-cache", 'case $2 in clang | linux-tools-generic) echo "  Candidate: 1" ;; *) echo "  Candidate: (none)" ;; esac')
    tool("apt-get", f'ls -l "{tmp_path}/policy" >>"{folder}/log" 2>&1 || :')
    tool("systemctl", "")
    tool.log = lambda: (folder / "log").read_text() if (folder / "log").exists() else ""
    tool.env = {"PATH": f"{folder}:{os.environ['PATH']}", "POLICY_RC_D": str(tmp_path / "policy")}
    return tool


def deps(tools, packages):
    return run(["sh", os.path.join(TOP, "tests/deps.sh"), packages], "/", check=False, **tools.env)


def test_deps_does_nothing_when_all_is_there(tools):
    done = deps(tools, "gcc nginx-light|nginx")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "apt" not in tools.log()


def test_deps_installs_what_is_missing_and_starts_no_service(tools, tmp_path):
    done = deps(tools, "gcc clang bpftool|linux-tools-generic")
    assert done.returncode == 0, done.stderr
    calls = [line for line in tools.log().splitlines() if line.startswith("apt-get")]
    assert calls == ["apt-get update -q",
                     "apt-get install -q -y --no-install-recommends clang linux-tools-generic"]
    assert re.search(rf"^-rwxr-xr-x .* {tmp_path}/policy$", tools.log(), re.M)
    assert not (tmp_path / "policy").exists()


def test_deps_cleans_up_after_a_failure_and_keeps_a_foreign_policy(tools, tmp_path):
    tools("apt-get", '[ "$1" = update ] || exit 100')
    assert deps(tools, "clang").returncode == 100
    assert not (tmp_path / "policy").exists()
    (tmp_path / "policy").write_text("mine")
    assert deps(tools, "clang").returncode == 100
    assert (tmp_path / "policy").read_text() == "mine"


def test_deps_names_what_is_missing_when_not_root(tools):
    tools("id", "echo 1000")
    done = deps(tools, "gcc clang")
    assert done.returncode == 1
    assert "missing packages: clang\n" in done.stderr
    assert "apt-get" not in tools.log()


def test_deps_says_which_package_no_archive_has(tools):
    done = deps(tools, "no-such|neither")
    assert done.returncode == 1
    assert "no package named no-such|neither" in done.stderr


def test_bpftool_that_runs_is_chosen(copy, tools):
    """Ubuntu's is a script that refuses where no package matches the running kernel; the real ones lie elsewhere."""
    for name, script in (("wrapper", "echo WARNING; exit 2"), ("real", "exit 0"), ("another", "exit 0")):
        tools(name, script)
    done = run(["env", "-u", "BPFTOOL", "make", "--eval", "show:; @echo $(BPFTOOL)",
                "BPFTOOLS=missing-tool wrapper real another", "show"], copy.root, **tools.env)
    assert done.stdout == "real\n"


def test_run_needs_root(copy, tools):
    tools("id", "echo 1000")
    done = run(["make", "run"], copy.root, check=False, **tools.env)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "tracing needs root: sudo make run"


def test_run_traces_the_demo_server_and_stops_it(tree):
    done = tree.make("run", "ARGS=-d 2")
    assert re.search(r"^ +malloc .*\n +session_create +demo_server\.c:\d+ +demo_server$", done.stdout, re.M), done
    server = re.search(r"^demo_server \(pid (\d+)\)", done.stdout, re.M)[1]
    assert not os.path.exists(f"/proc/{server}")


def test_run_traces_a_process(tree):
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            done = tree.make("run", f"PID={process.pid}", "ARGS=-d 300ms")
            assert re.search(rf"^sleep \(pid {process.pid}\)", done.stdout, re.M), done
            assert process.poll() is None
        finally:
            process.kill()


def test_run_says_why_it_cannot(tree):
    done = tree.make("run", "PID=2", check=False)
    assert done.returncode != 0 and "kernel thread" in done.stderr
