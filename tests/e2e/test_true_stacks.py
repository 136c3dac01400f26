# SPDX-License-Identifier: GPL-2.0-only
"""The golden comparison: call stacks without frame pointers, each word of each stack of each call."""
import glob
import os
import pathlib
import shutil
import subprocess

import pytest

import golden
import redis_server
from exact import losses
from foreign import ReturnProbes
from programs import WORK_SECONDS

PYTHON = "/usr/bin/python3"
IMPORTS = "import json, ctypes, sqlite3, ssl, decimal, bz2, lzma, curses, xml.parsers.expat, asyncio, zoneinfo"
FOUR = (*golden.FUNCTIONS, "posix_memalign")
SOAK = pytest.mark.soak

IN_CI = ("gcc+O0", "gcc+O2", "gcc+Os", "clang+O2", "clang+O0", "gcc+O2+fcf-protection", "gcc+O2+static")


def matrix():
    """The ways that the Makefile builds stacks_matrix in, with glibc."""
    names = sorted(os.path.basename(path) for path in glob.glob(f"{golden.BUILD}/stacks/[!m]*+O*"))
    return [pytest.param(name, marks=() if name in IN_CI else SOAK) for name in names]


def need(program):
    path = shutil.which(program) or next(iter(glob.glob(f"/usr/lib/postgresql/*/bin/{program}")), None)
    if not path:
        pytest.skip(f"{program} is not installed")
    return path


def check(run, document, counts, unfinished=0, **how):
    """leaktrace saw what golden saw. `unfinished`: how many stacks libdwfl itself may fail at."""
    result = run.compare(document, **how)
    assert losses(document) == {}
    assert counts["walked"] and counts["strange"] == 0 and not counts["execed"], counts
    assert result.unfinished <= unfinished, counts
    assert result.wrong == {}
    return result


def observe(lab, *command, **options):
    run = golden.Run(lab, *command, **options)
    counts, document = run.observe()
    assert counts["status"] == 0, run.golden
    return run, document, counts


@pytest.mark.parametrize("path", ["session", "multi", pytest.param("perf", marks=SOAK)])
def test_cpp(lab, path):
    run = golden.Run(lab, lab.victim_path("stacks_cpp"))
    counts, document = run.observe("--attach-path", path)
    assert counts["status"] == 0 and document["attach_path"] == path, run.golden
    result = check(run, document, counts)
    assert result.stacks > 50 and result.calls > 1000


def test_python_that_loads_libraries(lab):
    result = check(*observe(lab, PYTHON, "-c", IMPORTS))
    assert result.stacks > 1000


def compare_at_full_speed(lab, *command, by=()):
    """golden stops the program at each call, which gives leaktrace time to learn of new libraries. Without it there is
    none: the stacks of a run of its own must be the same ones, but for those that say they were learned too late, as
    beginnings. They are compared by place in the files: the page of the return probes takes an address that a library had
    in the other run."""
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    first = golden.Run(lab, *command, by=by, env=env)
    first.go()
    first.finish()
    wanted = first.stacks(by_place=True)
    free = golden.Run(lab, *command, by=by, options=["--only-start"], env=env)
    _, document = free.observe()
    result = golden.compare(wanted, golden.read_leaktrace(document, free.pid, by_place=True), late=True)
    assert result.wrong == {} and losses(document) == {}
    return result, document


def test_python_at_full_speed(lab):
    """Without OpenSSL, which does not allocate the same in each run."""
    imports = "import json, ctypes, sqlite3, decimal, bz2, lzma, curses, xml.parsers.expat, zoneinfo, multiprocessing.pool"
    assert compare_at_full_speed(lab, PYTHON, "-c", imports)[0].stacks > 1000


def test_libraries_at_full_speed(lab):
    assert compare_at_full_speed(lab, lab.victim_path("stacks_dlopen"), 100)[0].stacks > 15


@pytest.mark.parametrize("build", matrix())
def test_every_kind_of_frame(lab, build):
    """Below makecontext() libdwfl looks one byte before __start_context, where there is nothing."""
    allocator = build if "static" in build else "libc.so"
    result = check(*observe(lab, f"{golden.BUILD}/stacks/{build}", functions=FOUR, options=["-m", allocator]), unfinished=2)
    assert result.stacks > 300


@pytest.mark.parametrize("build", ["musl-gcc+O2", "musl-gcc+O2+static"])
def test_frames_up_to_those_of_musl(lab, build):
    """Nothing describes musl's own frames: no stack can be finished below one, and none may be said to be. It is compared
    up to the first one. Beyond, there is only what is marked as guessed, and what signals have interrupted: how the kernel
    lays out their frames is known without a description."""
    allocator = build if "static" in build else "libc.so"
    run, document, counts = observe(lab, f"{golden.BUILD}/stacks/{build}", functions=FOUR, options=["-m", allocator, "-g"])
    result = check(run, document, counts, unfinished=1000, shortest=1)
    assert result.stacks == result.unfinished > 30 and counts["whole"] == 0
    assert all(site["truncated"] for site in document["sites"])
    wanted = run.stacks()
    found = golden.read_leaktrace({"sites": [site for site in document["sites"] if not site["guessed"]]}, run.pid)
    beyond = [chain for name, stacks in found.items() for chain in stacks if chain not in wanted[name]]
    assert len(beyond) <= 8


def test_depth_is_cut_and_said_so(lab):
    run, document, _ = observe(lab, f"{golden.BUILD}/stacks/gcc+O2")
    deep = [chain for chain, stack in run.stacks()["malloc"].items() if stack.deep]
    found = golden.read_leaktrace(document, run.pid)["malloc"]
    assert deep and all(found[chain].deep for chain in deep if chain in found)
    assert all(chain in found for chain in deep)


OVERLAY = """
mount -t tmpfs none "$0" && mkdir "$0/lower" "$0/upper" "$0/work" "$0/merged" && cp "$1"/stacks_[dl]* "$0/lower" &&
mount -t overlay overlay -o "lowerdir=$0/lower,upperdir=$0/upper,workdir=$0/work" "$0/merged" && shift && exec "$@"
"""


def test_libraries_on_overlayfs(lab):
    """As in a container: the kernel knows the mapped file by another inode than /proc/PID/maps shows."""
    folder = lab.tmp / "overlay"
    folder.mkdir()
    by = ("unshare", "--mount", "sh", "-c", OVERLAY, folder, f"{golden.BUILD}/victims")
    result, document = compare_at_full_speed(lab, folder / "merged/stacks_dlopen", 100, by=by)
    # The libraries are known from their second time on, wherever and whenever they are mapped.
    assert document["walk_ends"]["unmapped"] < result.calls / 2


def test_libraries_at_one_address(lab):
    """Two libraries take turns at one address, twelve times: each place is one site."""
    run, document, counts = observe(lab, lab.victim_path("stacks_dlopen"), 12)
    assert "same address: 1" in run.golden.err.text
    check(run, document, counts, late=True)
    places = [(site["function"], *((f["module"], f["module_offset"]) for f in site["frames"] if not f["inlined"]))
              for site in document["sites"]]
    assert len(places) == len(set(places))
    for name in ("stacks_lib_a", "stacks_lib_b"):
        assert any(name in str(place) for place in places)


def test_code_made_at_run_time(lab):
    result = check(*observe(lab, lab.victim_path("stacks_jit")))
    assert result.stacks >= 60


@SOAK
def test_return_probes_of_others(lab):
    """Another tool's return probes replace return addresses all over the stack, those of the same functions too. Below 64
    of them the kernel makes no more, so the return of an allocation is not seen: a counted loss."""
    program = f"{golden.BUILD}/stacks/gcc+O2"
    run = golden.Run(lab, program, functions=("malloc", "realloc", "posix_memalign"), options=["-r", "gcc+O2:deep"])
    with ReturnProbes(program, ["deep"]):
        other = lab.start("-p", run.pid, "--debuggers-are-harmless", "--attach-path", "perf").wait_tracing()
        counts, document = run.observe(status=4)
        other.wait()
    assert counts["trampolines"] > 100
    wanted, found = run.stacks(), golden.read_leaktrace(document, run.pid)
    unseen = {(name, chain): stack.calls for name, stacks in wanted.items() for chain, stack in stacks.items()
              if chain not in found[name] and len(chain) > 64}
    assert unseen and losses(document) == {"returns_omitted": sum(unseen.values())}
    result = run.compare(document)
    assert len(result.missing) == len(unseen) and result.unfinished <= 2
    result.missing.clear()
    assert result.wrong == {}


@SOAK
def test_rust(lab):
    rustc, program = need("rustc"), lab.tmp / "stacks_rust"
    source = f"{os.path.dirname(os.path.abspath(__file__))}/../victims/stacks_rust.rs"
    subprocess.run([rustc, "--edition", "2021", "-O", "-o", program, source], check=True, timeout=WORK_SECONDS)
    result = check(*observe(lab, program))
    assert result.stacks > 50


@SOAK
def test_clang(lab):
    (lab.tmp / "program.c").write_text("struct s { int a[9]; struct s *next; };\n" + "\n".join(
        f"int f{i}(struct s *x, int n) {{ int r = {i}; for (int i = 0; i < n; i++) r += x->a[i % 9] * {i}; return r; }}"
        for i in range(12)))
    run = golden.Run(lab, need("clang"), "-cc1", "-triple", "x86_64-pc-linux-gnu", "-emit-obj", "-O2", "-o",
                     lab.tmp / "program.o", lab.tmp / "program.c")
    counts, document = run.observe(seconds=600)
    result = check(run, document, counts)
    assert result.stacks > 3000


def observe_redis(lab, **more):
    """Returns the run, leaktrace's report and golden's counts."""
    server, client = need("redis-server"), need("redis-cli")
    run = golden.Run(lab, *redis_server.command(server, lab.tmp), **more)
    counts, document = run.observe(meanwhile=lambda: redis_server.ask(client, lab.tmp))
    return run, document, counts


def test_redis(lab):
    """On jemalloc, the library that it is linked to."""
    result = check(*observe_redis(lab, functions=FOUR, options=["-m", "libjemalloc.so"]))
    assert result.stacks > 300


@SOAK
def test_redis_on_libc(lab):
    """With libc's malloc in the place of its jemalloc."""
    libc = next(iter(glob.glob("/lib/x86_64-linux-gnu/libc.so.6")), None)
    if not libc:
        pytest.skip("there is no /lib/x86_64-linux-gnu/libc.so.6")
    check(*observe_redis(lab, env={**os.environ, "LD_PRELOAD": libc}))


@SOAK
def test_beginning_of_node(lab):
    run = golden.Run(lab, need("node"), "-e", "0", options=["-n", 20000, "-e", 5])
    counts, document = run.observe("--max-sites", 65536)
    assert counts["stops"] == 20000
    result = check(run, document, counts, sampled=True)
    assert result.stacks > 100


@SOAK
def test_node(lab):
    """Half a million calls, most of them before the first line of the script."""
    run = golden.Run(lab, need("node"), "-e", "let a = []; for (let i = 0; i < 1e4; i++) a.push({i, s: 's' + i});"
                     "JSON.parse(JSON.stringify(a)); a.map(x => Buffer.alloc(9000)); /(a+)b/.test('aaab')")
    counts, document = run.observe("--max-sites", 65536, seconds=1800)
    # V8's way from interpreted to compiled code (on-stack replacement) has something else where its caller should be.
    result = check(run, document, counts, unfinished=2)
    assert result.stacks > 1000


@SOAK
def test_postgres(lab, postgres_folder):
    user, folder = postgres_folder
    queries = folder / "queries"
    queries.write_text("create table t(a int, b text);\ninsert into t select i, repeat('x', i % 90) from "
                       "generate_series(1, 5000) i;\nselect b, count(*) from t group by b order by 2;\n"
                       "create index on t(b);\nexplain analyze select * from t x join t y using (a);\n")
    shutil.copy(golden.GOLDEN, folder / "golden")
    (folder / "golden.txt").touch()
    run = golden.Run(lab, need("postgres"), "--single", "-D", folder / "data", "-F", "postgres", by=user,
                     program=folder / "golden", options=["-i", queries, "-o", folder / "golden.txt"], cwd=folder)
    run.path = folder / "golden.txt"
    for path in (folder, folder / "golden.txt", queries):
        shutil.chown(path, "postgres")
    counts, document = run.observe(seconds=600)
    result = check(run, document, counts)
    assert result.stacks > 100


@pytest.fixture
def postgres_folder():
    """The words that make a command user postgres's, and a folder of his with a fresh cluster."""
    initdb = need("initdb")
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    made = subprocess.run([*user, "mktemp", "-d", "/tmp/leaktrace-postgres-XXXXXX"], capture_output=True, text=True,
                          timeout=60)
    if made.returncode:
        pytest.skip("there is no user postgres")
    folder = pathlib.Path(made.stdout.strip())
    try:
        subprocess.run([*user, initdb, "-D", folder / "data", "-A", "trust", "--no-sync"], check=True, timeout=WORK_SECONDS,
                       stdout=subprocess.DEVNULL, cwd=folder)
        yield user, folder
    finally:
        shutil.rmtree(folder)


@SOAK
@pytest.mark.parametrize("name", ["victims/stacks_cpp", "victims/stacks_dlopen", "stacks/gcc+O2", "stacks/clang+Os"])
def test_golden_agrees_with_gdb(lab, name):
    """golden itself is checked by a third reader of unwind information. Where libdwfl has to stop, gdb goes on."""
    gdb, program = need("gdb"), f"{golden.BUILD}/{name}"
    run = golden.Run(lab, program, functions=("malloc",), env={})
    run.go()
    run.finish()
    walked = lab.tmp / "gdb.txt"
    script = f"{os.path.dirname(os.path.abspath(__file__))}/../golden/walk_by_gdb.py"
    subprocess.run([gdb, "-q", "-nx", "-batch", "-x", script, "--args", program], check=True, timeout=600,
                   env={"CHAINS": str(walked)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ours, theirs = run.stacks()["malloc"], golden.read_golden(walked)["malloc"]
    whole = {chain: stack.calls for chain, stack in ours.items() if stack.whole}
    begun = {chain: stack.calls for chain, stack in ours.items() if not stack.whole}
    assert {chain: stack.calls for chain, stack in theirs.items() if chain in whole} == whole
    rest = [chain for chain in theirs if chain not in whole]
    assert len(rest) == len(begun) <= 2 and all(any(chain[:len(b)] == b for b in begun) for chain in rest)


def report_of(stacks, pid=7):
    """The report of a leaktrace that saw exactly these stacks."""
    sites = [{"pid": pid, "function": name, "total_allocs": stack.calls, "failed_allocs": 0,
              "truncated": "deep" if stack.deep or not stack.whole else None,
              "frames": [{"pc": hex(pc), "module": place[0], "module_offset": place[1], "inlined": False}
                         for pc, place in zip((0, *chain), ((None, 0), *next(iter(stack.places))))]}
             for name, chains in stacks.items() for chain, stack in chains.items()]
    return {"sites": sites}


def spoil(kind, sites):
    site = next(site for site in sites if not site["truncated"] and len(site["frames"]) > 4)
    if kind == "missing":
        sites.remove(site)
    elif kind == "surplus":
        sites.append({**site, "frames": site["frames"][:3]})
    elif kind == "miscounted":
        site["total_allocs"] += 1
    elif kind == "misplaced":
        site["frames"][2]["module"] = "/another/file"
    elif kind == "cut":
        site["truncated"] = "something"


def test_comparison_finds_each_difference(lab):
    run = golden.Run(lab, f"{golden.BUILD}/stacks/gcc+O2", functions=FOUR)
    run.go()
    counts = run.finish()
    stacks = run.stacks()
    result = golden.compare(stacks, golden.read_leaktrace(report_of(stacks), 7), FOUR)
    assert result.wrong == {} and result.calls == counts["walked"] and result.unfinished == 2
    for kind in ("missing", "surplus", "miscounted", "misplaced", "cut"):
        document = report_of(stacks)
        spoil(kind, document["sites"])
        assert list(golden.compare(stacks, golden.read_leaktrace(document, 7), FOUR).wrong) == [kind]
