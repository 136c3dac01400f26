# SPDX-License-Identifier: GPL-2.0-only
"""What a report holds, and what of a target's names reaches the terminal."""
import re

import pytest

from programs import START_SECONDS

# DESIGN.md: the contract; more keys may come, none may go.
TOP_KEYS = {"schema", "version", "host", "kernel", "started", "duration_s", "observed_s", "interval_s", "windows",
            "sample_bytes", "mode", "processes", "sites", "losses", "overhead"}
PROCESS_KEYS = {"pid", "start_time", "comm", "exe", "cgroup", "verdict", "confidence", "reasons", "live_bytes",
                "live_blocks", "net_blocks", "pre_attach_bytes", "rss_bytes", "growth_bytes_per_s", "failed_allocs",
                "hooked", "not_hooked", "allocs", "frees", "frees_untracked", "vm_children", "ended"}
SITE_KEYS = {"id", "rank", "pid", "kind", "function", "class", "growing", "confidence", "reasons", "live_bytes",
             "live_bytes_se", "live_blocks", "growth_bytes_per_s", "total_alloc_bytes", "total_allocs",
             "total_frees", "failed_allocs", "oldest_age_s", "rises", "floors", "ages", "truncated", "frames"}
FRAME_KEYS = {"pc", "symbol", "offset", "module", "build_id", "file", "line", "inlined"}


def test_report_has_the_keys_of_the_contract(lab):
    victim = lab.victim("leak_o0", "50")
    trace, _ = lab.observe(victim)
    document = trace.document
    assert document["schema"] == "leaktrace.report/1"
    assert not TOP_KEYS - set(document)
    assert not PROCESS_KEYS - set(document["processes"][0])
    for site in document["sites"]:
        assert not SITE_KEYS - set(site)
        assert all(not FRAME_KEYS - set(frame) for frame in site["frames"])
    assert [s["rank"] for s in document["sites"]] == list(range(1, len(document["sites"]) + 1))
    (hooked,) = document["processes"][0]["hooked"]
    assert hooked["family"] == "libc" and {"malloc", "free", "realloc"} <= set(hooked["functions"])
    assert document["processes"][0]["rss_bytes"] > 0
    assert document["overhead"]["probe_hits"] > 0


@pytest.mark.first_light
def test_text_report(lab):
    """Plain lines when no terminal reads: the leak first, with its place, and how stacks were walked."""
    victim = lab.victim("leak_o0", "50")
    trace = lab.start("-p", victim.pid).wait_tracing()
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    text = trace.out.text
    assert "\x1b" not in text and "\r" not in text
    assert re.search(rf"#1 .*\n +malloc .*\n +leaky_function +\S*leak_o0\.c:{truth['leak_line']}\b", text), text
    assert re.search(r"^stacks: unwind tables: \d+ whole, 0 truncated, 0 lost$", text, re.M), text
    assert "growing" not in text.replace("not growing", "")
    assert victim.finish() == 0


def test_frame_pointers_are_said_loudly(lab):
    """What a kernel gets whose verifier refuses the walk by tables."""
    victim = lab.victim("leak_o0", "50")
    trace = lab.start("-p", victim.pid, "--stacks", "fp").wait_tracing()
    victim.go()
    truth = victim.truth()
    assert trace.stop() == 0, trace
    assert re.search(r"^stacks: frame pointers ONLY \(.*wrong or short stacks\): \d+ whole", trace.out.text, re.M), trace
    assert re.search(rf" +leaky_function +\S*leak_o0\.c:{truth['leak_line']}\b", trace.out.text), trace
    assert victim.finish() == 0


def test_hostile_names_do_not_reach_the_terminal(lab):
    program = lab.tmp / "evil\033[31m\nname"
    program.write_bytes(open(lab.victim_path("hostile_name"), "rb").read())
    program.chmod(0o755)
    victim = lab.program(program)
    assert victim.out.wait_for("^READY", START_SECONDS)
    trace = lab.start("-p", victim.pid).wait_tracing()
    victim.send()
    assert victim.out.wait_for("^TRUTH", START_SECONDS)
    assert trace.stop() == 0, trace
    shown = trace.out.data + trace.err.data
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", shown) and b"\xc2\x9b" not in shown, shown
    assert b"by_malloc" in shown
