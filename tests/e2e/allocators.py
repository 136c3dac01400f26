# SPDX-License-Identifier: GPL-2.0-only
"""Victims of tests/victims/allocators: which allocator they use, and what must be seen of it."""
import os
import subprocess

import pytest

from exact import caller, check_exact, process_of, sites_of

PREFIXES = ("_rjem_", "je_", "tc_", "mi_")
# Names of one function at one address, or of one that calls the other; no probe can tell which was meant.
SAME = [{"aligned_alloc", "memalign"}, {"reallocarray", "realloc"}, {"cfree", "free"}, {"malloc", "mallocx"}]


def library(name):
    """The path of a library of the system."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True, timeout=60).stdout
    path = next((line.split(" => ")[1] for line in listed.splitlines()
                 if line.split()[:1] == [name] and "x86-64" in line), None)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def preloaded(*paths):
    return {**os.environ, "LD_PRELOAD": ":".join(map(str, paths))}


def hooked(process):
    """{family: names of files}"""
    found = {}
    for module in process["hooked"]:
        found.setdefault(module["family"], set()).add(os.path.basename(module["path"]))
    return found


def plain(function):
    """A name without the prefix of an allocator."""
    for prefix in PREFIXES:
        function = function.removeprefix(prefix)
    return function


def check_functions(document, pid, truth):
    """Each block is put down to the function that the program called."""
    for site in sites_of(document, pid):
        called = caller(site, truth["sites"])
        if called and called.startswith("by_"):
            name, wanted = plain(site["function"]), plain(called[len("by_"):])
            assert name == wanted or any({name, wanted} <= same for same in SAME), (called, site)


def check_leak_is_first(document, function=None):
    """A leak that was put in is named first, by the function that asks for it."""
    first = document["sites"][0]
    assert first["rank"] == 1
    assert first["frames"][1]["symbol"] == "leaked_here", first
    if function:
        assert first["function"] == first["frames"][0]["symbol"] == function, first


def check_observed(lab, victim, *options):
    """All of its work is seen, exactly; and its leak first. Returns the document, the truth and the process."""
    trace, truth = lab.observe(victim, *options)
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    check_leak_is_first(trace.document)
    assert victim.finish() == 0, victim
    return trace.document, truth, process_of(trace.document, victim.pid)
