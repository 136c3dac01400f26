# SPDX-License-Identifier: GPL-2.0-only
"""Names of code that no symbol table of a mapped file has."""
import os

import pytest

import exact


@pytest.fixture
def jit_victim(lab):
    victim = lab.victim("jit_code")
    yield victim
    os.unlink(f"/tmp/perf-{victim.pid}.map")


def frames_named(document, name):
    return [f for site in document["sites"] for f in site["frames"] if f["symbol"] == name]


def test_code_made_at_run_time_is_named_by_its_perf_map(lab, jit_victim):
    trace, truth = lab.observe(jit_victim)
    exact.check_exact(trace.document, jit_victim.pid, truth)
    assert len(truth["sites"]) == 4
    for name in set(truth["sites"]) - {"main"}:
        (frame,) = frames_named(trace.document, name)
        # The call ends at the 16th byte of each.
        assert frame["offset"] == 16 and frame["module"] is None and not frame["inlined"], frame
    assert not frames_named(trace.document, "jit_gone")
    nameless = [f for site in trace.document["sites"] for f in site["frames"][1:2] if not f["symbol"]]
    assert len(nameless) == 1, nameless
    assert jit_victim.finish() == 0


def test_text_report_shows_code_made_at_run_time(lab, jit_victim):
    trace = lab.start("-p", jit_victim.pid).wait_tracing()
    jit_victim.go()
    jit_victim.truth()
    assert trace.stop() == 0, trace
    assert any(line.split() == ["py::late:/srv/app.py", "[jit]"] for line in trace.out.lines), trace
    assert jit_victim.finish() == 0


def test_perf_map_of_another_user_is_not_read(lab, jit_victim):
    os.chown(f"/tmp/perf-{jit_victim.pid}.map", 12345, 12345)
    trace, truth = lab.observe(jit_victim, "-v")
    assert not frames_named(trace.document, "jit_early")
    assert exact.sums(trace.document["sites"]) == {"bytes": truth["live_bytes"], "blocks": truth["live_blocks"]}
    assert "belongs to another user" in trace.err.text
    assert jit_victim.finish() == 0
