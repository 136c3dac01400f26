# SPDX-License-Identifier: GPL-2.0-only
"""Rounds: every workload without a tool and with each, in turn, again and again; ratios are taken inside a round.

The machine's speed drifts, so that only neighbours in time are compared. A measurement that no longer fits into its
round's share of the time is left out of this round; the order turns, so that it is not always the same one.
"""
import statistics
import time
from dataclasses import dataclass, field

from tools import Tool
from workloads import Unavailable


@dataclass
class Cell:
    """One workload with one tool."""
    workload: object
    tool: object
    cost_ns: list = field(default_factory=list)  # CPU of the target for one unit of work, by round
    ratios: list = field(default_factory=list)  # to the same workload without a tool in the same round
    attach_s: list = field(default_factory=list)
    stop_s: list = field(default_factory=list)
    hits_per_op: list = field(default_factory=list)
    losses: dict = field(default_factory=dict)  # of all rounds
    trouble: str = None
    seconds: float = 0

    @property
    def is_baseline(self):
        return self.tool.name == "none"

    @property
    def key(self):
        return self.workload.name, self.tool.name

    def as_dict(self):
        return {"workload": self.workload.name, "unit": self.workload.unit, "tool": self.tool.name,
                "cpu_ns_per_op": self.cost_ns, "ratios": self.ratios,
                "ratio_median": statistics.median(self.ratios) if self.ratios else None,
                "attach_s": self.attach_s, "stop_s": self.stop_s, "hits_per_op": self.hits_per_op,
                "losses": self.losses,
                "skipped": self.trouble or (None if self.ratios else "no time left"), "note": self.workload.note}


def measure_once(lab, cell):
    """CPU nanoseconds for one unit of work."""
    workload, tool = cell.workload, cell.tool
    ops = workload.ops * (workload.alone if cell.is_baseline else 1)
    target = workload.start(lab, tool, ops)
    started = time.monotonic()
    running = tool.attach(lab, target.pid)
    if running:
        cell.attach_s.append(running.attached - started)
    cost = workload.work(lab, target, ops)
    stopping = time.monotonic()
    told = tool.stop(running, ops)
    if running:
        cell.stop_s.append(time.monotonic() - stopping)
    cell.hits_per_op += [told["hits_per_op"]] if "hits_per_op" in told else []
    for name, number in told.get("losses", {}).items():
        cell.losses[name] = cell.losses.get(name, 0) + number
    return cost


def try_measure(lab, cell):
    started = time.monotonic()
    try:
        return measure_once(lab, cell)
    except (Unavailable, AssertionError, OSError, ValueError, KeyError) as reason:
        cell.trouble = str(reason) or type(reason).__name__
        print(f"SKIPPED {cell.workload.name} with {cell.tool.name}: {cell.trouble}", flush=True)
        return None
    finally:
        lab.clear()
        cell.seconds = time.monotonic() - started


def make_cells(workloads, tools):
    """A baseline and the tools for each workload; those that cannot run say so at once."""
    troubles = {}
    for thing in [*workloads, *(tool for tool, _ in tools)]:
        try:
            thing.check()
        except Unavailable as reason:
            troubles[thing.name] = str(reason)
            print(f"SKIPPED {thing.name}: {reason}", flush=True)
    rows = []
    for i, workload in enumerate(workloads):
        first_only = [tool for tool, only_first in tools if only_first]
        usual = [tool for tool, only_first in tools if not only_first]
        chosen = [*first_only, *usual[1:]] if i == 0 else usual
        rows.append([Cell(workload, tool, trouble=troubles.get(workload.name) or troubles.get(tool.name))
                     for tool in (Tool(), *chosen)])
    return rows


def run_row(lab, row, end):
    """One workload, one time with each tool."""
    baseline = row[0]
    for cell in row:
        if cell.trouble or (not cell.is_baseline and not baseline.cost_ns):
            continue
        needed = cell.seconds or cell.tool.guess
        if time.monotonic() + needed > end:
            continue
        cost = try_measure(lab, cell)
        if cost is None:
            continue
        cell.cost_ns.append(cost)
        cell.ratios.append(cost / baseline.cost_ns[-1])


def run_rounds(lab, rows, rounds, seconds):
    start = time.monotonic()
    for number in range(rounds):
        begun = time.monotonic()
        left = start + seconds - begun
        if left <= 0:
            print(f"time is up after {number} of {rounds} rounds", flush=True)
            break
        share = left / (rounds - number)
        for place in range(len(rows)):
            row = rows[(place + number) % len(rows)]
            # In the first round a measurement may take time from later ones: one is far better than none.
            end = start + seconds if number == 0 else begun + share * (place + 1) / len(rows)
            run_row(lab, row, end)
        print(f"round {number + 1} of {rounds}: {time.monotonic() - begun:.0f} s", flush=True)


def spread(numbers, pattern="{:.1f}"):
    return f"{pattern.format(min(numbers))}..{pattern.format(max(numbers))}"


def print_ratios(rows):
    print(f"\n{'workload':17} {'tool':18} {'n':>2} {'CPU ns per op':>15} {'ratio':>8} {'spread':>16}"
          f" {'hits per op':>11}")
    for row in rows:
        for cell in row:
            if not cell.ratios:
                continue
            hits = f"{statistics.median(cell.hits_per_op):.2f}" if cell.hits_per_op else ""
            ratio = statistics.median(cell.ratios)
            print(f"{cell.workload.name:17} {cell.tool.name:18} {len(cell.ratios):2}"
                  f" {statistics.median(cell.cost_ns):15,.1f}"
                  + (f" {1:8.1f} {'':16}" if cell.is_baseline else f" {ratio:8.1f} {spread(cell.ratios):>16}")
                  + f" {hits:>11}" + "".join(f"  {name} {number:,}" for name, number in cell.losses.items()))
    for note in sorted({row[0].workload.note for row in rows if row[0].workload.note}):
        print(f"note: {note}")


def print_attach(row):
    """From start to attached (load, plan, attach) and from SIGINT to the end (report, detach), by the pair loop."""
    print(f"\n{'attach and detach':36} {'n':>2} {'start to attached, s':>22} {'stop to ended, s':>22}")
    for cell in row:
        if cell.attach_s and cell.stop_s:
            print(f"{cell.tool.name:36} {len(cell.stop_s):2}"
                  + "".join(f" {statistics.median(s):8.2f} ({spread(s, '{:.2f}')})".rjust(23)
                            for s in (cell.attach_s, cell.stop_s)))
