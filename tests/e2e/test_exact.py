# SPDX-License-Identifier: GPL-2.0-only
"""Bytes and blocks are equal: block map = sites = process = the victim's truth."""
import os

import pytest

import traces
from exact import (by_function, caller, check_closed, check_exact, check_sites, live, losses, process_of, sites_of)

# In glibc before 2.38 these two are one function with two names; no probe can tell which was called.
ALIASES = {"aligned_alloc": {"aligned_alloc", "memalign"}, "memalign": {"aligned_alloc", "memalign"}}

EXACT = [
    ("libc_family", "8"), ("static_glibc",), ("static_glibc", "8"), ("failures",), ("realloc_forms",),
    ("realloc_null_tail_jump",), ("one_call_site",), ("odd_sizes",), ("pre_attach",), ("fork_child",),
    ("realloc_only_grow",), ("threads8", "1"), ("signal_in_malloc_altstack", "1"),
    pytest.param(("threads8", "8"), marks=pytest.mark.first_light),
    ("signal_in_malloc_altstack", "3"), ("longjmp_hook",), ("many_live", "50000"), ("hostile_name",),
    ("musl_family",), ("musl_family", "8"), ("musl_failures",), ("musl_realloc",), ("musl_tail_jump",),
    ("musl_one_call_site",), ("musl_odd",), ("musl_threads", "8"), ("musl_never_frees",),
]


def check_victim(lab, name, *args, options=()):
    victim = lab.victim(name, *args)
    trace, truth = lab.observe(victim, *options)
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert victim.finish() == 0
    return trace.document, truth


@pytest.mark.first_light
@pytest.mark.parametrize("threads", ["1", "8"])
@pytest.mark.parametrize("path", ["session", "multi", "perf"])
def test_family_by_each_attach_path(lab, need_attach_path, path, threads):
    need_attach_path(path)
    document, truth = check_victim(lab, "libc_family", threads, options=("--attach-path", path))
    assert document["attach_path"] == path
    assert truth["has_pvalloc"] and truth["has_cfree"]
    # Each block is put down to the function that the program called.
    for site in document["sites"]:
        function = caller(site, truth["sites"])[len("by_"):]
        assert site["function"] in ALIASES.get(function, {function}), site


@pytest.mark.parametrize("case", EXACT, ids="-".join)
def test_exact(lab, case):
    check_victim(lab, *case)


@pytest.mark.parametrize("path", ["multi", "perf"])
@pytest.mark.parametrize("case", [("signal_in_malloc_altstack", "3"), ("longjmp_hook",), ("threads8", "8"),
                                  ("realloc_null_tail_jump",)], ids="-".join)
def test_returns_matched_without_a_session(lab, need_attach_path, path, case):
    need_attach_path(path)
    check_victim(lab, *case, options=("--attach-path", path))


def test_failed_allocations_show_their_size(lab):
    document, truth = check_victim(lab, "failures")
    failed = [s for s in document["sites"] if s["frames"][1]["symbol"] == "fail_malloc"]
    assert [(s["failed_allocs"], s["failed_last_size"]) for s in failed] == [(10, truth["huge"])]
    assert sum(s["failed_allocs"] for s in document["sites"]) == truth["failed"]


def test_realloc_forms_were_exercised(lab):
    _, truth = check_victim(lab, "realloc_forms")
    assert truth["moved"] > 0 and truth["stayed"] > 0


@pytest.mark.parametrize("args", [("10000",), ("2000", "1")], ids=["heap", "mapping"])
def test_realloc_race(lab, args):
    _, truth = check_victim(lab, "realloc_race_2threads", *args)
    if len(args) == 1:
        assert truth["taken"] > 0, "the race did not happen, so this proves nothing"


def test_realloc_grower_is_one_block_in_one_site(lab):
    document, truth = check_victim(lab, "realloc_only_grow", "2000")
    (site,) = (s for s in document["sites"] if s["live_blocks"])
    assert (site["live_bytes"], site["live_blocks"]) == (200000, 1)
    assert (site["total_allocs"], site["total_frees"]) == (truth["allocs"], truth["frees"])


def test_signals_nested_too_deep_are_counted(lab):
    """More calls pending than there is room for: what is lost is counted, and nothing else is wrong."""
    victim = lab.victim("signal_in_malloc_altstack", "6")
    trace, truth = lab.observe(victim)
    lost = trace.document["losses"]["returns_unmatched"]
    missing = truth["live_blocks"] - process_of(trace.document, victim.pid)["live_blocks"]
    assert missing == lost == 3 * truth["rounds"]  # seven calls at once, room for four
    check_closed(trace.document)
    assert trace.wait() == 4
    assert victim.finish() == 0


def test_alternate_stack_above_the_interrupted_one(lab):
    """
    A return probe taken on a stack above makes the kernel forget those of the interrupted calls, and at their return
    it kills the process. So none may be taken there: what is not seen is counted as lost. (A second tracer on the
    machine makes the kernel take them for it, whichever process it traces.)
    """
    if traces.running("leaktrace"):
        pytest.skip("another leaktrace runs on this machine")
    victim = lab.victim("signal_in_malloc_altstack", "2", "1")
    trace, truth = lab.observe(victim)
    assert victim.finish() == 0
    check_closed(trace.document)
    if trace.wait() == 0:
        check_exact(trace.document, victim.pid, truth)
    else:
        assert trace.wait() == 4 and losses(trace.document), trace
        assert process_of(trace.document, victim.pid)["live_blocks"] < truth["live_blocks"]


@pytest.mark.first_light
def test_exec_leaves_nothing_of_the_old_image(lab):
    victim = lab.victim("exec_same_pid_same_addr")
    trace, truth = lab.observe(victim)
    document = trace.document
    assert trace.wait() == 0, trace
    assert truth["same_address"] == 1, "other addresses this time, so this proves nothing"
    assert losses(document) == {}
    check_closed(document)
    check_sites(document, victim.pid, truth)
    assert by_function(document["sites"], ["first_image"])["first_image"]["blocks"] == 0
    old = [p for p in document["processes"] if p["ended"] == "exec"]
    assert [live(p) for p in old] == [{"bytes": 0, "blocks": 0}]
    assert process_of(document, victim.pid)["ended"] is None
    assert victim.finish() == 0


def test_vfork_child_is_seen_or_its_loss_told(lab):
    victim = lab.victim("vfork_malloc")
    trace, truth = lab.observe(victim)
    document = trace.document
    process = process_of(document, victim.pid)
    check_closed(document)
    unseen = process["vm_children"]
    assert unseen in (0, truth["children"])
    if unseen:
        # One block born and one freed by each, exactly these unseen.
        assert process["live_blocks"] == truth["live_blocks"]
        assert process["live_bytes"] == \
            truth["live_bytes"] - truth["child_born_bytes"] + truth["child_freed_bytes"]
    else:
        check_exact(document, victim.pid, truth)
    assert victim.finish() == 0


def test_vfork_child_is_seen_where_links_follow_memory(lab):
    """Perf links are filtered by memory, not by thread group: the child counts as its parent."""
    victim = lab.victim("vfork_malloc")
    trace, truth = lab.observe(victim, "--attach-path", "perf")
    check_exact(trace.document, victim.pid, truth)
    assert [p["pid"] for p in trace.document["processes"]] == [victim.pid]
    assert process_of(trace.document, victim.pid)["vm_children"] == 0
    assert trace.wait() == 0, trace
    assert victim.finish() == 0


def test_thread_caches_given_back_at_thread_exit(lab):
    """The allocator frees cached chunks itself then: second frees of what the program has freed already."""
    victim = lab.victim("thread_exit_tcache")
    trace, truth = lab.observe(victim)
    assert trace.wait() == 0, trace
    assert losses(trace.document) == {}
    check_closed(trace.document)
    check_sites(trace.document, victim.pid, truth)
    assert process_of(trace.document, victim.pid)["frees_untracked"] == 0
    assert victim.finish() == 0


@pytest.mark.parametrize("when", ["0", "1"], ids=["loaded while traced", "loaded before"])
def test_names_survive_dlclose(lab, when):
    victim = lab.victim("dlopen_close", when)
    trace, truth = lab.observe(victim)
    assert trace.wait() == 0, trace
    assert truth["unloaded"] == 1
    check_closed(trace.document)
    check_sites(trace.document, victim.pid, truth)
    (site,) = (s for s in sites_of(trace.document, victim.pid) if s["frames"][1]["symbol"] == "lib_alloc")
    frame = site["frames"][1]
    assert os.path.basename(frame["module"]) == "dlopen_lib"
    assert os.path.basename(frame["file"]) == "dlopen_lib.c" and frame["line"] > 0
    assert victim.finish() == 0


def test_leak_without_optimisation_is_named_first(lab):
    document, truth = check_victim(lab, "leak_o0", "200")
    (first,) = (s for s in document["sites"] if s["rank"] == 1)
    assert [f["symbol"] for f in first["frames"][:5]] == \
        ["malloc", "leaky_function", "handle_request", "serve", "main"]
    assert os.path.basename(first["frames"][1]["file"]) == "leak_o0.c"
    assert first["frames"][1]["line"] == truth["leak_line"]
    assert (first["live_blocks"], first["function"]) == (200, "malloc")


def test_map_too_small(lab):
    """Blocks that found no room are counted one by one, said, and make the exit status 4."""
    blocks, room = 3000, 1000
    victim = lab.victim("many_live", blocks)
    trace, truth = lab.observe(victim, "--max-blocks", room)
    document = trace.document
    process = process_of(document, victim.pid)
    assert trace.wait() == 4, trace
    assert document["losses"]["blocks_not_tracked"] == blocks - room
    assert process["live_blocks"] == room
    assert document["losses"]["bytes_not_tracked"] == truth["live_bytes"] - process["live_bytes"]
    assert process["allocs"] == blocks
    check_totals = {"bytes": process["live_bytes"], "blocks": process["live_blocks"]}
    assert document["audit"] == check_totals
    assert victim.finish() == 0


def test_map_too_small_is_said_in_text(lab):
    victim = lab.victim("many_live", 3000)
    trace = lab.start("-p", victim.pid, "--max-blocks", 1000).wait_tracing()
    victim.go()
    victim.truth()
    assert trace.stop() == 4, trace
    assert "2000" in trace.out.text and "--max-blocks" in trace.out.text + trace.err.text, trace
    assert victim.finish() == 0


def test_more_sites_than_room(lab):
    """Sites over the limit share one, so that sums close."""
    victim = lab.victim("libc_family")
    trace, truth = lab.observe(victim, "--max-sites", 5)
    document = trace.document
    check_closed(document)
    assert live(process_of(document, victim.pid)) == {"bytes": truth["live_bytes"], "blocks": truth["live_blocks"]}
    assert document["losses"]["sites_merged"] > 0
    assert sum(1 for site in document["sites"] if site["overflow"]) == 1
    assert trace.wait() == 4, trace
    assert victim.finish() == 0


def test_one_million_live_blocks(lab):
    document, _ = check_victim(lab, "many_live", "1000000", options=("--max-blocks", "1200000"))
    assert document["audit"]["blocks"] == 1000000


def test_two_leaktraces_on_one_process(lab):
    victim = lab.victim("libc_family", "8")
    first, second = lab.trace(victim), lab.trace(victim)
    victim.go()
    truth = victim.truth()
    assert first.stop() == 0 and second.stop() == 0
    check_exact(first.document, victim.pid, truth)
    check_exact(second.document, victim.pid, truth)
    assert victim.finish() == 0


@pytest.mark.soak
@pytest.mark.parametrize("path", ["session", "multi", "perf"])
@pytest.mark.parametrize("case", [("threads8", "8", "100000"), ("realloc_race_2threads", "100000"),
                                  ("realloc_race_2threads", "20000", "1"), ("longjmp_hook", "200000"),
                                  ("musl_threads", "8", "50000")], ids="-".join)
def test_exact_for_long(lab, need_attach_path, path, case):
    need_attach_path(path)
    check_victim(lab, *case, options=("--attach-path", path))
