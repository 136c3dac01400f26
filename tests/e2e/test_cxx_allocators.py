# SPDX-License-Identifier: GPL-2.0-only
"""operator new and delete in all forms over every allocator: each block once, whoever hands it out and whatever throws."""
import os

import pytest

from allocators import hooked, library, preloaded
from exact import check_exact, process_of

SOAK = pytest.mark.soak


def check_cxx(lab, victim, *options):
    """
    Exact, but for two things that depend on what is hooked: exceptions are blocks of malloc's, which come and go, and of a
    call that an exception leaves nothing is known, not even that it failed.
    """
    trace, truth = lab.observe(victim, *options)
    assert trace.wait() == 0, trace
    process = process_of(trace.document, victim.pid)
    exceptions = process["allocs"] - truth["allocs"]
    assert 0 <= exceptions <= truth["failed"] + truth["exceptions"]
    assert truth["failed"] - truth["throws"] <= process["failed_allocs"] <= truth["failed"]
    check_exact(trace.document, victim.pid, {**truth, "allocs": process["allocs"], "failed": process["failed_allocs"],
                                             "frees": truth["frees"] + exceptions})
    first = trace.document["sites"][0]
    names = [frame["symbol"] for frame in first["frames"]]
    # Between the leak and what hands out blocks there are at most forms of new that call each other, and their helper.
    above = names[:names.index("leaked_here")]
    assert 1 <= len(above) <= 3 and all(name.startswith(("operator new", "take(")) for name in above[1:]), first
    assert victim.finish() == 0, victim
    return trace, truth, process


@pytest.mark.parametrize("way", ["plain", pytest.param("static_libstdcxx", marks=SOAK),
                                 pytest.param("static_glibc", marks=SOAK), "own_malloc"])
def test_new_on_malloc(lab, way):
    """Where it calls malloc, only that is hooked: the library's, and the program's own."""
    _, truth, process = check_cxx(lab, lab.allocator_victim(f"cxx_new.{way}"))
    assert set(hooked(process)) == {"libc"}
    # Each exception was seen, and each malloc that failed.
    assert process["allocs"] - truth["allocs"] >= truth["throws"] + truth["exceptions"]
    assert process["failed_allocs"] == truth["failed"]


def test_new_on_malloc_by_a_helper(lab):
    """That it only calls malloc cannot be seen: both are hooked, and each block counts once."""
    _, _, process = check_cxx(lab, lab.allocator_victim("cxx_new.own_helper"))
    assert set(hooked(process)) == {"c++", "libc"}


def test_new_from_an_array(lab):
    """The program's own, without malloc below: hooked itself. Aligned forms are still the library's, on libc's."""
    victim = lab.allocator_victim("cxx_new.own_arena")
    trace, _, process = check_cxx(lab, victim)
    assert os.path.basename(victim.command[0]) in hooked(process)["c++"] and "libc" in hooked(process)
    first = trace.document["sites"][0]
    assert first["function"] == "operator new" and first["frames"][0]["symbol"].startswith("operator new")


@pytest.mark.parametrize("way, family", [
    ("jemalloc", "jemalloc"), pytest.param("tcmalloc", "tcmalloc", marks=SOAK), ("static_jemalloc", "jemalloc"),
    ("static_tcmalloc", "tcmalloc")])
def test_new_of_an_allocator(lab, way, family):
    """These bring their own, which hand out blocks without calling malloc, and throw."""
    _, _, process = check_cxx(lab, lab.allocator_victim(f"cxx_new.{way}"))
    assert family in hooked(process)


@pytest.mark.parametrize("way, name, args", [
    pytest.param("plain", "libjemalloc.so.2", (), marks=SOAK), ("plain", "libtcmalloc_minimal.so.4", ()),
    ("plain", "libmimalloc.so.2", ("60", "1")), pytest.param("own_malloc", "libjemalloc.so.2", (), marks=SOAK),
    pytest.param("static_libstdcxx", "libmimalloc.so.2", ("60", "1"), marks=SOAK)])
def test_preloaded(lab, way, name, args):
    victim = lab.allocator_victim(f"cxx_new.{way}", *args, env=preloaded(library(name)))
    _, _, process = check_cxx(lab, victim)
    assert name.split(".")[0].removeprefix("lib").split("_")[0] in hooked(process)


@SOAK
@pytest.mark.parametrize("path", ["session", "multi", "perf"])
@pytest.mark.parametrize("way", ["plain", "jemalloc", "static_tcmalloc", "own_arena"])
def test_new_by_each_attach_path(lab, need_attach_path, path, way):
    need_attach_path(path)
    check_cxx(lab, lab.allocator_victim(f"cxx_new.{way}", "300"), "--attach-path", path)
