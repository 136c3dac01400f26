# SPDX-License-Identifier: GPL-2.0-only
"""Allocators of a program's own: described by --allocator, loaded later, and laid one over the other."""
import os
import re
import subprocess

import pytest

import traces
from allocators import check_leak_is_first, check_observed, hooked, library, preloaded
from exact import check_closed, check_exact, check_sites, losses, process_of, sites_of, sums
from programs import START_SECONDS

SOAK = pytest.mark.soak

FREES = "free=pool_free(ptr=2) reset=pool_reset(pool=1)"
POOL = {
    # pool_zalloc, pool_array and pool_resize call pool_alloc.
    "one": f"pool: alloc=pool_alloc(pool=1,size=2) {FREES}",
    "glob": f"pool: alloc=pool_*alloc(pool=1,size=2) {FREES}",
    "all": "pool: alloc=pool_alloc(pool=1,size=2) alloc=pool_zalloc(pool=1,size=2) calloc=pool_array(pool=1,count=2,size=3) "
           f"realloc=pool_resize(pool=1,ptr=2,size=3) {FREES}",
    "nothrow": f"pool: alloc=pool_alloc(pool=1,size=2,nothrow) {FREES}",
}
ARENA = "arena: alloc=arena_alloc(size=1) free=arena_free(ptr=1) reset=arena_reset"
LATE = "late: alloc=late_alloc(size=1) free=late_free(ptr=1)"
# A jemalloc that is loaded later needs more room for its thread-local variables than the loader keeps.
ROOM_FOR_TLS = {**os.environ, "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}


@pytest.mark.parametrize("spec", ["one", "glob", "all", pytest.param("nothrow", marks=SOAK)])
def test_pools(lab, spec):
    """Several pools at once and inside each other, freed one by one or all of a pool. Their chunks are not blocks."""
    victim = lab.allocator_victim("own_pool.plain")
    document, truth, process = check_observed(lab, victim, "--allocator", POOL[spec])
    check_leak_is_first(document, "pool_alloc")
    assert hooked(process)["pool"] == {"own_pool.plain"} and "libc" in hooked(process)
    functions = {site["function"] for site in sites_of(document, victim.pid) if site["frames"][1]["symbol"] == "by_pool_zalloc"}
    assert functions == ({"pool_zalloc"} if spec in ("glob", "all") else set())
    assert truth["failed"] > 0


def test_arena(lab):
    """Without pools, a reset takes all."""
    victim = lab.allocator_victim("own_arena.plain")
    document, _, _ = check_observed(lab, victim, "--allocator", ARENA)
    check_leak_is_first(document, "arena_alloc")


def test_two_allocators_are_described(lab):
    """What is said of functions that are not there is not an error while another is there; and it is said."""
    victim = lab.allocator_victim("own_arena.plain")
    trace, truth = lab.observe(victim, "--allocator", ARENA, "--allocator", POOL["one"])
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert "pool_alloc" in trace.err.text, trace
    assert victim.finish() == 0


def test_left_by_an_exception(lab):
    """What is allocated after it is not the allocator's own. The exceptions' memory is not the victim's account."""
    victim = lab.allocator_victim("thrown_pool.plain")
    trace, truth = lab.observe(victim, "--allocator", "pool: alloc=pool_get(size=1) free=pool_put")
    assert trace.wait() == 0, trace
    process = process_of(trace.document, victim.pid)
    assert losses(trace.document) == {}
    assert (process["live_bytes"], process["live_blocks"]) == (truth["live_bytes"], truth["live_blocks"])
    check_leak_is_first(trace.document)
    assert victim.finish() == 0


def test_one_object_only(lab):
    """-O: what is in other files is not hooked."""
    victim = lab.allocator_victim("malloc_names.jemalloc")
    document, _, process = check_observed(lab, victim, "-O", "libjemalloc.so.2")
    assert {os.path.basename(entry["path"]) for entry in process["hooked"]} == {"libjemalloc.so.2"}
    assert document["sites"]


def test_object_that_is_not_there(lab):
    victim = lab.allocator_victim("malloc_names.plain")
    trace = lab.run("-p", victim.pid, "-d", "1", "-O", "libnothing.so")
    assert trace.wait() == 1 and len(trace.complaints) == 1, trace
    assert "libnothing.so" in trace.complaints[0] and "-O" in trace.complaints[0], trace


def test_prefix(lab):
    """-S: functions named like those of malloc(3), behind a prefix."""
    victim = lab.allocator_victim("jemalloc_api.static_rjem")
    _, _, process = check_observed(lab, victim, "-S", "_rjem_")
    named = {name for entry in process["hooked"] if entry["family"] == "_rjem_*" for name in entry["functions"]}
    assert {"_rjem_malloc", "_rjem_free", "_rjem_realloc"} <= named and "libc" in hooked(process)


def test_prefix_that_nothing_has(lab):
    victim = lab.allocator_victim("malloc_names.plain")
    trace, truth = lab.observe(victim, "-S", "nobodys_")
    assert trace.wait() == 0 and "nobodys_malloc" in trace.err.text, trace
    check_exact(trace.document, victim.pid, truth)
    assert "nobodys_" in str(process_of(trace.document, victim.pid)["not_hooked"])


def functions_of(path):
    """name → address, as nm prints it"""
    listed = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True, check=True, timeout=60).stdout
    return {name: int(address, 16) for address, name in re.findall(r"^(\w+) T (\w+)$", listed, re.M)}


@pytest.mark.parametrize("way", [pytest.param("plain", marks=SOAK), "plain.stripped"])
def test_pools_by_address(lab, way):
    """Where there are no symbols. Then the leak is known by its size only."""
    victim = lab.allocator_victim(f"own_pool.{way}")
    functions = functions_of(lab.allocator_path("own_pool.plain"))
    spec = re.sub(r"pool_\w+(?=\()", lambda match: f"own_pool.{way}+{functions[match[0]]:#x}", POOL["all"])
    assert "+0x" in spec
    trace, truth = lab.observe(victim, "--allocator", spec)
    assert trace.wait() == 0, trace
    sites = truth["sites"] if way == "plain" else {}
    check_exact(trace.document, victim.pid, {**truth, "sites": sites})
    leak, first = truth["sites"]["leaked_here"], trace.document["sites"][0]
    # Of two threads with two stacks.
    assert first["live_blocks"] * leak["bytes"] == first["live_bytes"] * leak["blocks"] > 0, first
    assert victim.finish() == 0


def test_static_libc_by_address(lab):
    """A static program without symbols, for one who has the build with them."""
    path = lab.tmp / "static_stripped"
    with_symbols = lab.allocator_path("malloc_names.static_glibc")
    subprocess.run(["objcopy", "-S", with_symbols, path], check=True, timeout=60)
    listed = subprocess.run(["nm", with_symbols], capture_output=True, text=True, check=True, timeout=60).stdout
    functions = {name: int(address, 16) for address, name in re.findall(r"^(\w+) [TWV] (\w+)$", listed, re.M)}
    words = {"malloc": "alloc={}(size=1)", "calloc": "calloc={}", "realloc": "realloc={}", "free": "free={}",
             "posix_memalign": "alloc_at={}", "memalign": "alloc={}(size=2)", "valloc": "alloc={}(size=1)",
             "pvalloc": "alloc={}(size=1)", "reallocarray": "realloc={}(ptr=1,count=2,size=3)"}
    spec = "libc: nothrow " + " ".join(word.format(f"static_stripped+{functions[name]:#x}") for name, word in words.items())
    victim = lab.victim_at(path)
    trace, truth = lab.observe(victim, "--allocator", spec)
    assert trace.wait() == 0, trace
    process = process_of(trace.document, victim.pid)
    assert (process["live_bytes"], process["live_blocks"]) == (truth["live_bytes"], truth["live_blocks"])
    assert (process["allocs"], process["frees"], process["failed_allocs"]) == \
        (truth["allocs"], truth["frees"], truth["failed"])
    assert victim.finish() == 0
    # One byte on there is the middle of an instruction.
    wrong = lab.victim_at(path)
    trace = lab.run("-p", wrong.pid, "-d", "1", "--allocator",
                    spec.replace(f"{functions['free']:#x}", f"{functions['free'] + 1:#x}"))
    assert "no function begins at" in trace.err.text, trace
    wrong.go()
    wrong.truth()
    assert wrong.finish() == 0


def observe_late(lab, name, *options, **popen_options):
    """Its allocator comes when the trace has begun, and is used when it is hooked. Returns the trace, the truth and the pid."""
    path = lab.allocator_path(name)
    victim = lab.allocator_victim("late_allocator.plain", path, **popen_options)
    trace = lab.trace(victim, *options)
    victim.go()
    assert victim.out.wait_for("^LOADED$", START_SECONDS), victim
    assert traces.poll(lambda: any(place.startswith(f"{path}+") for place in traces.changed_code(victim.pid)), True), \
        f"no probes in {name}: {trace}"
    victim.send()
    truth = victim.truth()
    trace.stop()
    assert trace.wait() == 0, trace
    assert victim.finish() == 0, victim
    return trace, truth, victim.pid


def check_late(trace, truth, pid, family, name):
    """The loader's own blocks come on top of what the program asked for."""
    document = trace.document
    assert losses(document) == {}
    check_closed(document)
    check_sites(document, pid, truth)
    assert name in hooked(process_of(document, pid))[family]
    in_truth = [site for site in sites_of(document, pid) if any(f["symbol"] in truth["sites"] for f in site["frames"])]
    assert sums(in_truth) == {"bytes": truth["live_bytes"], "blocks": truth["live_blocks"]}
    assert sum(site["total_allocs"] for site in in_truth) == truth["allocs"]
    leak = next(s for s in document["sites"] if any(f["symbol"] == "leaked_here" for f in s["frames"]))
    assert leak["rank"] == 1, document["sites"][0]


def test_jemalloc_that_is_loaded_later(lab):
    trace, truth, pid = observe_late(lab, "late_lib.static_rjem", env=ROOM_FOR_TLS)
    check_late(trace, truth, pid, "jemalloc", "late_lib.static_rjem")


def test_described_allocator_that_is_loaded_later(lab):
    trace, truth, pid = observe_late(lab, "late_lib.plain", "--allocator", LATE)
    check_late(trace, truth, pid, "late", "late_lib.plain")


@pytest.mark.parametrize("name, family", [("over_je.static_je", "jemalloc"), ("over_libc.plain", "libc")])
def test_malloc_of_the_program_over_another(lab, name, family):
    """It is what the program calls, and what it calls in turn is the same block."""
    document, _, process = check_observed(lab, lab.allocator_victim(name))
    check_leak_is_first(document, "malloc")
    found = hooked(process)
    assert any(name in files for files in found.values()) and (family in found or "malloc" in found), found


@pytest.mark.parametrize("below", [None, pytest.param("libjemalloc.so.2", marks=SOAK),
                                   pytest.param("libtcmalloc_minimal.so.4", marks=SOAK)])
def test_preloaded_malloc_with_headers(lab, below):
    """Its pointers are 16 bytes behind those of the allocator below, and its blocks smaller."""
    layer = lab.allocator_path("preload_header.plain")
    victim = lab.allocator_victim("malloc_names.plain", env=preloaded(layer, *([library(below)] if below else [])))
    document, _, process = check_observed(lab, victim)
    check_leak_is_first(document, "malloc")
    assert any("preload_header.plain" in files for files in hooked(process).values())


@SOAK
def test_malloc_of_the_program_under_a_preloaded_one(lab):
    """Preloaded or not, the program's own comes first."""
    victim = lab.allocator_victim("over_je.static_je", env=preloaded(library("libtcmalloc_minimal.so.4")))
    document, _, _ = check_observed(lab, victim)
    check_leak_is_first(document, "malloc")


@SOAK
@pytest.mark.parametrize("path", ["session", "multi", "perf"])
@pytest.mark.parametrize("name, options", [("own_pool.plain", ("--allocator", POOL["all"])), ("over_libc.plain", ()),
                                           ("own_arena.plain", ("--allocator", ARENA))])
def test_by_each_attach_path(lab, need_attach_path, path, name, options):
    need_attach_path(path)
    check_observed(lab, lab.allocator_victim(name, "20"), "--attach-path", path, *options)
