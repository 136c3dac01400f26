# SPDX-License-Identifier: GPL-2.0-only
"""
Much of what has to work on any kernel, in few traces: on an emulated machine (tests/kernels) each takes tens of seconds to
begin. What leaktrace chose by itself is recorded; there it is known what it should have chosen.
"""
import json
import re

import pytest

from exact import check_closed, check_exact, check_sites, losses, process_of, sites_of
from programs import json_documents

pytestmark = pytest.mark.first_light

VICTIMS = [("leak_o0", "200"), ("libc_family", "8"), ("failures",), ("realloc_forms",), ("fork_child",), ("longjmp_hook",)]


def check_frames(document, pid, truth):
    (leak,) = (s for s in sites_of(document, pid) if s["live_blocks"] == 200)
    assert [f["symbol"] for f in leak["frames"][:5]] == ["malloc", "leaky_function", "handle_request", "serve", "main"]
    assert leak["frames"][1]["line"] == truth["leak_line"] and not leak["truncated"]


def test_many_victims_in_one_trace(lab, record_testsuite_property):
    victims = [lab.victim(*case) for case in VICTIMS]
    trace = lab.start("-p", ",".join(str(v.pid) for v in victims), "--format", "json", "--audit").wait_tracing()
    record_testsuite_property("attach_path", re.search(r"^leaktrace: tracing .*, by (\w+);", trace.err.text, re.M)[1])
    for victim in victims:
        victim.go()
    truths = [victim.truth() for victim in victims]
    assert trace.stop() == 0, trace
    record_testsuite_property("attach_path", trace.document["attach_path"])
    record_testsuite_property("stacks", trace.document["stacks"])
    for victim, truth in zip(victims, truths):
        check_exact(trace.document, victim.pid, truth)
        assert victim.finish() == 0
    check_frames(trace.document, victims[0].pid, truths[0])


def test_command_that_forks_and_becomes_another(lab, record_testsuite_property):
    """A shell, whose child is not followed; the program that it becomes is."""
    report = lab.tmp / "report.json"
    trace = lab.start("--format", "json", "--audit", "-w", report, "--", "sh", "-c", '"$0" --now; exec "$0" --now --exit=7',
                      lab.victim_path("now_ctor"))
    assert trace.wait() == 7, trace
    (document,) = json_documents(report.read_text())
    record_testsuite_property("attach_path", document["attach_path"])
    truths = [json.loads(text) for text in re.findall(r"^TRUTH (.*)$", trace.out.text, re.M)]
    assert len(truths) == 2 and truths[0] == truths[1], trace
    assert [(p["comm"], p["ended"]) for p in document["processes"]] == [("sh", "exec"), ("now_ctor", "exit")]
    pid = document["processes"][0]["pid"]
    assert losses(document) == {}
    check_closed(document)
    check_sites(document, pid, truths[1])
    assert process_of(document, pid)["frees_untracked"] == 0
