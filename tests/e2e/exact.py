# SPDX-License-Identifier: GPL-2.0-only
"""What "exact" means: four ways to count the same memory agree to the byte and to the block."""

# Losses that make a number wrong; the others only blur where or when.
FALSIFYING = ("blocks_not_tracked", "bytes_not_tracked", "records_dropped", "probe_misses", "returns_unmatched", "returns_unsafe",
              "returns_omitted", "frees_missed", "reads_failed", "tasks_untracked", "processes_untracked")


def process_of(document, pid):
    """The entry of the image that a pid runs, or ran last."""
    entries = [p for p in document["processes"] if p["pid"] == pid and p["ended"] != "exec"]
    assert len(entries) == 1, document["processes"]
    return entries[0]


def sites_of(document, pid):
    return [site for site in document["sites"] if site["pid"] == pid]


def sums(sites):
    return {"bytes": sum(s["live_bytes"] for s in sites), "blocks": sum(s["live_blocks"] for s in sites)}


def live(process):
    return {"bytes": process["live_bytes"], "blocks": process["live_blocks"]}


def caller(site, names):
    """The innermost of the functions called `names` that is on the stack of a site."""
    return next((f["symbol"] for f in site["frames"] if f["symbol"] in names), None)


def by_function(sites, names):
    """Live memory by the victim's own functions."""
    found = {name: {"bytes": 0, "blocks": 0} for name in names}
    for site in sites:
        if name := caller(site, names):
            found[name]["bytes"] += site["live_bytes"]
            found[name]["blocks"] += site["live_blocks"]
    return found


def losses(document):
    return {name: document["losses"][name] for name in FALSIFYING if document["losses"][name]}


def check_closed(document):
    """The sum over the block map, the sum over the sites and those of the processes are one."""
    total = sums(document["sites"])
    assert total == document["audit"]
    assert total == {"bytes": sum(p["live_bytes"] for p in document["processes"]),
                     "blocks": sum(p["live_blocks"] for p in document["processes"])}
    for process in document["processes"]:
        if process["ended"] == "exec":
            assert live(process) == {"bytes": 0, "blocks": 0}
            continue
        assert process["allocs"] - process["frees"] + process["frees_untracked"] == process["live_blocks"], process
    assert document["mode"] == "exact" and document["sample_bytes"] == 0


def check_sites(document, pid, truth):
    """Each of the victim's functions has what it says it has."""
    assert by_function(sites_of(document, pid), truth["sites"]) == truth["sites"]


def check_exact(document, pid, truth):
    """Everything equals the truth of a victim that is alone in the trace."""
    process = process_of(document, pid)
    assert losses(document) == {}
    check_closed(document)
    assert live(process) == {"bytes": truth["live_bytes"], "blocks": truth["live_blocks"]}
    check_sites(document, pid, truth)
    assert (process["allocs"], process["frees"], process["failed_allocs"]) == \
        (truth["allocs"], truth["frees"], truth["failed"])
    assert sum(s["total_allocs"] for s in sites_of(document, pid)) == truth["allocs"]
    assert process["frees_untracked"] == truth.get("old_released", 0)
