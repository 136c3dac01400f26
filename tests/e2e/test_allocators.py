# SPDX-License-Identifier: GPL-2.0-only
"""Every allocator that is known, in each way that a program can get it, is found without being told, and exact."""
import os

import pytest

from allocators import check_functions, check_leak_is_first, check_observed, hooked, library, preloaded
from exact import check_closed, losses, process_of

SOAK = pytest.mark.soak

# way → families that are hooked, and in which file; None: the program
MALLOC_NAMES = [
    ("plain", {"libc": "libc.so.6"}),
    ("jemalloc", {"jemalloc": "libjemalloc.so.2"}),
    pytest.param("tcmalloc", {"tcmalloc": "libtcmalloc_minimal.so.4"}, marks=SOAK),
    pytest.param("mimalloc", {"mimalloc": "libmimalloc.so.2"}, marks=SOAK),
    ("static_jemalloc", {"jemalloc": None}),
    ("static_tcmalloc", {"tcmalloc": None}),
    pytest.param("static_mimalloc", {"mimalloc": None}, marks=SOAK),
    ("static_glibc", {"libc": None}),
    ("all_static_jemalloc", {"jemalloc": None}),
    pytest.param("all_static_tcmalloc", {"tcmalloc": None}, marks=SOAK),
    pytest.param("musl", {"libc": "libc.so"}, marks=SOAK),
    ("static_musl", {"libc": None}),
    ("static_jemalloc.debuglink", {"jemalloc": None}),
    pytest.param("static_jemalloc.minidebug", {"jemalloc": None}, marks=SOAK),
]

OWN_NAMES = [
    ("jemalloc_api.jemalloc", {"jemalloc": "libjemalloc.so.2"}, "mallocx"),
    pytest.param("jemalloc_api.static_jemalloc", {"jemalloc": None}, "mallocx", marks=SOAK),
    ("jemalloc_api.static_rjem", {"jemalloc": None, "libc": "libc.so.6"}, "_rjem_mallocx"),
    pytest.param("jemalloc_api.static_je", {"jemalloc": None, "libc": "libc.so.6"}, "je_mallocx", marks=SOAK),
    pytest.param("jemalloc_api.static_rjem.debuglink", {"jemalloc": None, "libc": "libc.so.6"}, "_rjem_mallocx", marks=SOAK),
    ("jemalloc_api.static_rjem.minidebug", {"jemalloc": None, "libc": "libc.so.6"}, "_rjem_mallocx"),
    ("mimalloc_api.mimalloc", {"mimalloc": "libmimalloc.so.2"}, None),
    pytest.param("mimalloc_api.static_mimalloc", {"mimalloc": None}, None, marks=SOAK),
    ("tcmalloc_api.tcmalloc", {"tcmalloc": "libtcmalloc_minimal.so.4"}, None),
    pytest.param("tcmalloc_api.static_tcmalloc", {"tcmalloc": None}, None, marks=SOAK),
]


def shown(value):
    return value if isinstance(value, str) else "+".join(value or ["any"])


def check_hooked(process, victim, families):
    """Those are hooked, in these files. More may be: libc's own malloc is still there, though the program never calls it."""
    found = hooked(process)
    for family, file in families.items():
        wanted = file or os.path.basename(victim.command[0])
        assert any(name.startswith(wanted) for name in found.get(family, ())), found


@pytest.mark.parametrize("way, families", MALLOC_NAMES, ids=shown)
def test_malloc_names(lab, way, families):
    victim = lab.allocator_victim(f"malloc_names.{way}")
    document, truth, process = check_observed(lab, victim)
    check_hooked(process, victim, families)
    check_functions(document, victim.pid, truth)
    check_leak_is_first(document, None if "tcmalloc" in way or "mimalloc" in way else "malloc")


@pytest.mark.parametrize("name, family", [("libjemalloc.so.2", "jemalloc"), ("libtcmalloc_minimal.so.4", "tcmalloc"),
                                          ("libmimalloc.so.2", "mimalloc")])
def test_preloaded(lab, name, family):
    """It wins over libc's, as in the process itself."""
    victim = lab.allocator_victim("malloc_names.plain", env=preloaded(library(name)))
    document, truth, process = check_observed(lab, victim)
    check_hooked(process, victim, {family: name})
    check_functions(document, victim.pid, truth)
    check_leak_is_first(document)


@pytest.mark.parametrize("name, families, function", OWN_NAMES, ids=shown)
def test_own_names(lab, name, families, function):
    """Interfaces besides malloc(3). jemalloc with a prefix stands beside libc's malloc, which the program uses as well."""
    victim = lab.allocator_victim(name)
    document, truth, process = check_observed(lab, victim)
    check_hooked(process, victim, families)
    check_leak_is_first(document, function)
    if "stayed" in truth:
        check_functions(document, victim.pid, truth)
        assert truth["stayed"] > 0 and truth["moved_not"] > 0, "xallocx() always did the same, so this proves little"


def test_mimalloc_gives_back_what_it_cannot_resize(lab):
    """mi_reallocf() frees the block also when it fails."""
    check_observed(lab, lab.allocator_victim("mimalloc_api.mimalloc", "40", "1"))


def test_nothing_names_the_allocator(lab):
    """Static, and stripped of all symbols: that is said, and nothing is guessed."""
    victim = lab.victim("static_stripped")
    trace = lab.run("-p", victim.pid, "-d", "100ms")
    assert trace.wait() == 1 and len(trace.complaints) == 1, trace
    assert "symbol" in trace.complaints[0], trace
    assert victim.is_running()


@SOAK
@pytest.mark.parametrize("path", ["session", "multi", "perf"])
@pytest.mark.parametrize("name", ["jemalloc_api.static_rjem", "mimalloc_api.mimalloc", "tcmalloc_api.tcmalloc"])
def test_own_names_by_each_attach_path(lab, need_attach_path, path, name):
    need_attach_path(path)
    check_observed(lab, lab.allocator_victim(name, "20"), "--attach-path", path)


@SOAK
def test_two_programs_of_two_allocators(lab):
    """What is hooked in one is not what is hooked in the other."""
    victims = [lab.allocator_victim(name) for name in ("malloc_names.static_jemalloc", "malloc_names.tcmalloc")]
    trace = lab.start("-p", ",".join(str(v.pid) for v in victims), "--format", "json", "--audit").wait_tracing()
    for victim in victims:
        victim.go()
    truths = [victim.truth() for victim in victims]
    assert trace.stop() == 0, trace
    document = trace.document
    assert losses(document) == {}
    check_closed(document)
    for victim, truth, family in zip(victims, truths, ("jemalloc", "tcmalloc")):
        process = process_of(document, victim.pid)
        assert (process["live_bytes"], process["live_blocks"]) == (truth["live_bytes"], truth["live_blocks"])
        assert (process["allocs"], process["frees"]) == (truth["allocs"], truth["frees"])
        assert family in hooked(process)
        assert victim.finish() == 0
