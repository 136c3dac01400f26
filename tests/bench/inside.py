# SPDX-License-Identifier: GPL-2.0-only
"""Costs that no clock of the target shows: memory of the maps and of the tool, and time inside the BPF programs."""
import ctypes
import glob
import json
import os
import platform
import re
import subprocess
import time

from tools import Leaktrace, Memleak, Tool
from workloads import Loop, Unavailable

SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_ENABLE_STATS = 32


def fdinfo(pid):
    """The fields of each file that a process has open."""
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        try:
            with open(path, encoding="utf-8") as file:
                yield dict(re.findall(r"^(\w+):\s*(\S+)", file.read(), re.M))
        except OSError:
            pass


def map_bytes(pid):
    """Kernel memory of a process's maps: the kernel's own figure, exact since 6.4 and a lower bound before."""
    maps = {fields["map_id"]: int(fields["memlock"]) for fields in fdinfo(pid) if "map_id" in fields}
    return sum(maps.values())


def status_bytes(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.M)[1]) * 1024


def measure_memory(lab, build, tool, blocks):
    """With that many live blocks, while the tool reports as it usually does."""
    workload = Loop(f"{blocks:,} live blocks", "live", build, unit="block", ops=blocks, alone=1)
    target = workload.start(lab, Tool(), blocks)
    running = tool.attach(lab, target.pid)
    pid = running.pid
    empty = map_bytes(pid)
    workload.work(lab, target, blocks)
    time.sleep(2.5)
    if not running.is_running():
        raise Unavailable(f"{tool.name} ended early: {running}")
    found = {"tool": tool.name, "blocks": blocks, "maps_empty_bytes": empty, "maps_bytes": map_bytes(pid),
             "rss_bytes": status_bytes(pid, "VmRSS"), "rss_anon_bytes": status_bytes(pid, "RssAnon"),
             "peak_rss_bytes": status_bytes(pid, "VmHWM")}
    found["maps_bytes_per_block"] = (found["maps_bytes"] - empty) / blocks
    tool.stop(running, blocks)
    return found


def print_memory(found):
    mib = 1 << 20
    print(f"\n{'memory, MiB':12} {'live blocks':>12} {'maps empty':>11} {'maps':>8} {'B per block':>12} {'own RSS':>9}"
          f" {'anonymous':>10} {'peak':>8}")
    for f in found:
        print(f"{f['tool']:12} {f['blocks']:12,} {f['maps_empty_bytes'] / mib:11.1f} {f['maps_bytes'] / mib:8.1f}"
              f" {f['maps_bytes_per_block']:12.1f} {f['rss_bytes'] / mib:9.1f} {f['rss_anon_bytes'] / mib:10.1f}"
              f" {f['peak_rss_bytes'] / mib:8.1f}")


class RunTimeStats:
    """The kernel measures its programs as long as this is open. That itself costs some 30 ns a run."""

    def __enter__(self):
        number = SYS_BPF.get(platform.machine())
        if not number:
            raise Unavailable(f"the number of bpf(2) on {platform.machine()} is not known here")
        libc = ctypes.CDLL(None, use_errno=True)
        attribute = (ctypes.c_uint32 * 32)()  # stats.type = BPF_STATS_RUN_TIME = 0
        self.fd = libc.syscall(number, BPF_ENABLE_STATS, ctypes.byref(attribute), ctypes.sizeof(attribute))
        if self.fd < 0:
            raise Unavailable(f"BPF_ENABLE_STATS: {os.strerror(ctypes.get_errno())}")
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def program_name(number):
    try:
        done = subprocess.run([os.environ.get("BPFTOOL") or "bpftool", "prog", "show", "id", str(number), "--json"],
                              capture_output=True, check=True, timeout=10)
        return json.loads(done.stdout).get("name", number)
    except (OSError, subprocess.SubprocessError, ValueError):
        return f"program {number}"


def run_times(pid, least):
    """name → (nanoseconds, runs) of the programs that ran more often than that"""
    programs = {fields["prog_id"]: (int(fields["run_time_ns"]), int(fields["run_cnt"])) for fields in fdinfo(pid)
                if int(fields.get("run_cnt", 0)) > least}
    return {program_name(number): found for number, found in programs.items()}


def measure_inside(lab, build, path, mode, ops):
    workload = Loop(mode, mode, build, unit="op", ops=ops, alone=1)
    tool = Leaktrace(path)
    target = workload.start(lab, Tool(), ops)
    running = tool.attach(lab, target.pid)
    with RunTimeStats():
        workload.work(lab, target, ops)
        times = run_times(running.pid, ops // 2)
    tool.stop(running, ops)
    return [{"attach_path": path, "work": {"pair": "malloc+free", "live": "malloc"}[mode], "program": name,
             "runs_per_op": runs / ops, "ns_per_run": ns / runs} for name, (ns, runs) in sorted(times.items())]


def print_inside(found):
    print(f"\n{'inside BPF':12} {'attached by':12} {'program':14} {'runs per op':>12} {'ns per run':>11}")
    for f in found:
        print(f"{f['work']:12} {f['attach_path']:12} {f['program']:14} {f['runs_per_op']:12.2f}"
              f" {f['ns_per_run']:11.0f}")


def attempts(lab, quick, build):
    """(kind, what it is called, function) of all that this file measures."""
    memleak = Memleak()
    for blocks in (100_000,) if quick else (100_000, 1_000_000):
        for tool in (Leaktrace(interval=1), memleak):
            yield "memory", f"memory of {tool.name} with {blocks:,} live blocks", tool, \
                lambda tool=tool, blocks=blocks: [measure_memory(lab, build, tool, blocks)]
    for path in ("session",) if quick else ("session", "multi"):
        for mode in ("pair", "live"):
            yield "inside", f"time inside BPF, {path}, {mode}", None, \
                lambda path=path, mode=mode: measure_inside(lab, build, path, mode, 40_000)


def measure_all(lab, quick, build):
    """{"memory": [...], "inside": [...], "skipped": [...]}"""
    found = {"memory": [], "inside": [], "skipped": []}
    for kind, name, tool, function in attempts(lab, quick, build):
        try:
            if tool:
                tool.check()
            found[kind] += function()
        except (Unavailable, AssertionError, OSError, ValueError, KeyError, TypeError) as reason:
            print(f"SKIPPED {name}: {reason}", flush=True)
            found["skipped"].append({"what": name, "reason": str(reason)})
        finally:
            lab.clear()
    return found
