# SPDX-License-Identifier: GPL-2.0-only
"""leaktrace doctor: what this host can do, what would be probed in a process, and what that would cost."""
import json
import re

import pytest

import traces
from programs import WORK_SECONDS

FAILED, USAGE = 1, 2
PATHS = ("session", "multi", "perf")
FEATURES = ("privileges", "btf", "attach_cookies", "uprobe_session", "uprobe_multi", "uprobe_perf", "unwind_tables", "find_vma",
            "jit", "returns_under_seccomp", "returns_with_shadow_stack")


def doctor(lab, *options, status=0):
    """The document."""
    run = lab.run("doctor", "--format", "json", *options, seconds=WORK_SECONDS)
    assert run.wait() == status, run
    document = json.loads(run.out.text)
    assert document["schema"] == "leaktrace.doctor/1"
    return document


def test_host(lab):
    document = doctor(lab)
    features = {f["id"]: f for f in document["features"]}
    assert tuple(features) == FEATURES
    assert document["can_trace"] is True
    assert [f["id"] for f in document["features"] if f["used"]] == [f"uprobe_{document['attach_path']}"]
    # The best that works is the one that is used, and what is missing says why.
    working = [path for path in PATHS if features[f"uprobe_{path}"]["there"]]
    assert document["attach_path"] == working[0]
    assert [f for f in document["features"] if f["there"] is not True and not f["detail"]] == []
    cost = document["cost"]
    assert 0 < cost["emulated_ns"] < cost["single_stepped_ns"]
    # Two hits, a return, a stack and a block are more than one hit.
    assert cost["return_ns"] >= 0 and cost["allocation_and_release_ns"] > cost["emulated_ns"]
    assert document["processes"] == []


def test_text(lab):
    run = lab.run("doctor", seconds=WORK_SECONDS)
    assert run.wait() == 0, run
    assert re.search(r"^processes can be traced here, by (session|multi|perf)$", run.out.text, re.M)
    assert len(re.findall(r"^  (yes|no|NO|\?) +\S", run.out.text, re.M)) == len(FEATURES)
    assert re.search(r"^cost of a hit, measured now: \S+ .s at an emulated instruction", run.out.text, re.M)
    assert "leaktrace doctor -p PID" in run.out.lines[-1]


@pytest.mark.parametrize("path", PATHS)
def test_plan_is_what_is_traced(lab, need_attach_path, path):
    """The same functions, and the target's code changes at the planned places and nowhere else."""
    need_attach_path(path)
    victim = lab.victim("leak_o0")
    document = doctor(lab, "-p", victim.pid, "--attach-path", path)
    assert document["attach_path"] == path
    (process,) = document["processes"]
    assert (process["pid"], process["comm"], process["not_hooked"]) == (victim.pid, "leak_o0", [])
    assert traces.changed_code(victim.pid) == []
    trace = lab.trace(victim, "--attach-path", path)
    changed = traces.changed_code(victim.pid)
    victim.go()
    victim.truth()
    assert trace.stop() == 0, trace
    hooked = trace.document["processes"][0]["hooked"]
    assert [f["function"] for f in process["hooked"]] == [name for module in hooked for name in module["functions"]]
    assert {f["build_id"] for f in process["hooked"]} == {module["build_id"] for module in hooked}
    libc = [place for place in changed if "libc" in place]
    assert len(libc) == len(process["hooked"])
    for function in process["hooked"]:
        assert function["emulated"] == ("single-stepped" not in function["reason"])
        assert (function["returns"] == "") == (function["function"] in ("free", "cfree"))
        assert function["cost_ns"] >= document["cost"]["emulated_ns" if function["emulated"] else "single_stepped_ns"]


def test_calls_are_counted(lab, need_attach_path):
    """Those of a process that does nothing else are many, and half of them are free."""
    need_attach_path("multi")
    victim = lab.victim("busy")
    victim.go()
    (process,) = doctor(lab, "-p", victim.pid)["processes"]
    rate = {f["function"]: f["hits_per_s"] for f in process["hooked"]}
    assert process["counted"] > 100 and 0 < process["counted_s"] < 5 and process["count_note"] is None
    assert sum(rate.values()) == pytest.approx(process["counted"] / process["counted_s"], rel=0.01)
    assert rate["free"] == pytest.approx(sum(rate.values()) / 2, rel=0.2)
    assert process["predicted_percent_of_one_cpu"] > 0
    assert victim.is_running()


def test_idle_process_costs_nothing(lab, need_attach_path):
    need_attach_path("multi")
    victim = lab.victim("leak_o0")
    (process,) = doctor(lab, "-p", victim.pid)["processes"]
    assert (process["counted"], process["predicted_percent_of_one_cpu"]) == (0, 0)


def test_not_counted_by_perf(lab):
    """Perf uprobes stay for seconds: a look must not cost more than it says."""
    victim = lab.victim("leak_o0")
    (process,) = doctor(lab, "-p", victim.pid, "--attach-path", "perf")["processes"]
    assert process["counted"] is process["counted_s"] is process["predicted_percent_of_one_cpu"] is None
    assert "detach" in process["count_note"]


def test_two_processes(lab):
    first, second = lab.victim("leak_o0"), lab.victim("libc_family", "8")
    document = doctor(lab, "-p", f"{first.pid},{second.pid}")
    assert [(p["pid"], p["comm"]) for p in document["processes"]] == [(first.pid, "leak_o0"), (second.pid, "libc_family")]


def test_process_without_allocator(lab):
    victim = lab.victim("static_stripped")
    (process,) = doctor(lab, "-p", victim.pid, status=FAILED)["processes"]
    assert process["hooked"] == []


def test_what_is_left_out_says_why(lab):
    """glibc's calloc ends in a jump through the PLT: its returns cannot be seen at its ret instructions."""
    victim = lab.victim("leak_o0")
    (process,) = doctor(lab, "-p", victim.pid, "--returns", "insns")["processes"]
    assert {f["returns"] for f in process["hooked"]} == {"", "at its ret instructions"}
    assert all(entry["reason"] for entry in process["not_hooked"])
    hooked, others = ({f["function"] for f in process[kind]} for kind in ("hooked", "not_hooked"))
    assert "malloc" in hooked | others and not hooked & others


def test_unprivileged(lab):
    run = lab.start_by("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", lab.leaktrace_path,
                       "doctor", "--format", "json")
    assert run.wait() == FAILED, run
    document = json.loads(run.out.text)
    features = {f["id"]: f for f in document["features"]}
    assert document["can_trace"] is False and document["attach_path"] is None
    assert "CAP_BPF" in features["privileges"]["detail"] and features["privileges"]["there"] is False
    assert [features[f"uprobe_{path}"]["there"] for path in PATHS] == [None] * 3
    assert set(document["cost"].values()) == {None}


@pytest.mark.parametrize("options", [["5"], ["-p", "x"], ["-d", "5"], ["--format", "xml"], ["--", "true"]])
def test_wrong_usage(lab, options):
    run = lab.run("doctor", *options)
    assert run.wait() == USAGE, run
    assert run.out.text == ""


def test_unwritable_output(lab):
    run = lab.run("doctor", "-w", "/nonexistent/file")
    assert run.wait() == FAILED, run
    assert "-w" in run.err.text
