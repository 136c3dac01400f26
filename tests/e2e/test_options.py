# SPDX-License-Identifier: GPL-2.0-only
"""Options that choose what is tracked and what is shown."""
import re

import pytest

from exact import losses, process_of, sites_of, sums


def leak(lab, *options, requests="40"):
    """(ended leaktrace, truth) of a program with blocks of 1024, 3000 and 10000 bytes, the middle ones freed."""
    victim = lab.victim("leak_o0", requests)
    trace, truth = lab.observe(victim, *options)
    assert trace.wait() == 0, trace
    assert victim.finish() == 0
    return trace, truth, victim.pid


@pytest.mark.parametrize("options,function", [(["-z", "1025"], "leaky_function"), (["-Z", "2K"], "fill_cache"),
                                              (["-z", "1024", "-Z", "1024"], "fill_cache")],
                         ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_sizes(lab, options, function):
    """What is left out is in no sum, and freeing it is no error."""
    trace, truth, pid = leak(lab, *options)
    assert sums(sites_of(trace.document, pid)) == truth["sites"][function] == trace.document["audit"]
    assert losses(trace.document) == {}
    assert {s["frames"][1]["symbol"] for s in trace.document["sites"] if s["live_blocks"]} == {function}


def test_top(lab):
    trace, _, pid = leak(lab, "-T", "1")
    assert [s["frames"][1]["symbol"] for s in trace.document["sites"]] == ["leaky_function"]
    # The process is shown whole.
    assert process_of(trace.document, pid)["live_blocks"] == 40 + 16


def test_addresses(lab):
    trace, truth, pid = leak(lab, "-a")
    for site in sites_of(trace.document, pid):
        blocks = site["blocks"] or []
        assert len(blocks) == site["live_blocks"]
        assert sum(b["size"] for b in blocks) == site["live_bytes"]
        assert len({b["address"] for b in blocks}) == len(blocks)
    assert sum(len(s["blocks"] or []) for s in trace.document["sites"]) == truth["live_blocks"]


def test_older(lab):
    """Nothing is an hour old after a second."""
    victim = lab.victim("leak_o0", "40")
    trace = lab.start("-p", victim.pid, "-o", "1h").wait_tracing()
    victim.go()
    victim.truth()
    assert trace.stop() == 0, trace
    assert "leaky_function" not in trace.out.text
    assert victim.finish() == 0


def test_shell_command(lab):
    trace = lab.run("-c", "echo from the shell; exit 3", "--format", "json", "-w", lab.tmp / "report.json")
    assert trace.wait() == 3, trace
    assert "from the shell" in trace.out.text


def test_quiet_and_verbose(lab):
    victim = lab.victim("leak_o0", "40")
    quiet = lab.run("-p", victim.pid, "-q", "-d", "300ms")
    assert quiet.wait() == 0 and quiet.err.text == "", quiet
    loud = lab.run("-p", victim.pid, "-v", "-d", "300ms")
    assert loud.wait() == 0 and all(line.startswith("leaktrace: ") for line in loud.err.lines), loud


@pytest.mark.parametrize("option", ["--help", "--version", "--usage"])
def test_help(lab, option):
    trace = lab.run(option)
    assert trace.wait() == 0 and trace.err.text == "" and "leaktrace" in trace.out.text, trace
    if option == "--version":
        assert re.fullmatch(r"leaktrace \d+\.\d+\S*\n", trace.out.text), trace
