# SPDX-License-Identifier: GPL-2.0-only
"""Call stacks as golden (tests/golden) and leaktrace see them in one run of one program, and how they differ."""
import collections
import json
import os
from dataclasses import dataclass, field, replace

import pytest

from programs import START_SECONDS, WORK_SECONDS

BUILD = os.environ.get("LEAKTRACE_BUILD", f"{os.path.dirname(os.path.abspath(__file__))}/../../.build")
GOLDEN = f"{BUILD}/golden"

# leaktrace shows 127 frames, the first of which is the function itself.
MOST = 126
# The processor has four breakpoints. What jumps to malloc inside libc is told apart only where both have one.
FUNCTIONS = ("malloc", "calloc", "realloc")


# What leaktrace says of a stack that it learned too late to finish: a library was gone again by then.
LATE = ("libraries were loaded or unloaded meanwhile", "it leads into memory that is not mapped as code",
        "the unwind information there is of a kind that is not understood")


@dataclass
class Stack:
    calls: int = 0
    whole: bool = True  # golden: libdwfl came to the outermost frame. leaktrace: not truncated
    deep: bool = False  # there are more frames than these
    late: bool = False  # cut at a library that was gone before leaktrace could look
    places: set = field(default_factory=set)  # chains of (file, offset): libraries may take turns at one address


@dataclass
class Comparison:
    """What is wrong, each an empty list when the two agree; and how much was compared."""
    missing: list = field(default_factory=list)    # golden only
    surplus: list = field(default_factory=list)    # leaktrace only
    miscounted: list = field(default_factory=list)
    misplaced: list = field(default_factory=list)  # right addresses, in other places of files
    cut: list = field(default_factory=list)        # truncated without need, or not said so
    stacks: int = 0
    calls: int = 0
    late: int = 0  # of these, calls whose stack leaktrace has as a beginning that says so
    unfinished: int = 0  # stacks of which libdwfl found only a beginning: leaktrace's must begin so

    @property
    def wrong(self):
        return {name: [f"{len(value)} of {self.stacks}", *value[:2]] for name in
                ("missing", "surplus", "miscounted", "misplaced", "cut") if (value := getattr(self, name))}


def add(stacks, function, frames, by_place):
    """The stack of these (pc, (file, offset)). By place: its chain is of places, where two runs can be compared."""
    pcs, places = zip(*frames) if frames else ((), ())
    chain = tuple(place if place[0] else (None, pc) for pc, place in frames) if by_place else pcs
    stack = stacks[function].setdefault(chain, Stack())
    stack.places.add(places)
    return stack


def read_golden(path, by_place=False):
    """function → chain of return addresses → Stack"""
    files, stacks = {}, collections.defaultdict(dict)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.rstrip("\n").split(" ")
            if words[0] == "path":
                files[words[1]] = " ".join(words[2:])
                continue
            frames = [word.split("@") for word in words[3:]]
            stack = add(stacks, words[0], [(int(pc, 16), (files.get(at), int(offset, 16)))
                                           for pc, at, offset in frames[:MOST]], by_place)
            stack.calls += int(words[1])
            stack.deep |= len(frames) > MOST
            stack.whole &= words[2] != "failed"
    return stacks


def place_of(frame):
    """The kernel's own pages are no file, and neither is code made at run time."""
    module = frame["module"]
    return (module, frame["module_offset"]) if module and module.startswith("/") else (None, 0)


def read_leaktrace(document, pid, by_place=False):
    stacks = collections.defaultdict(dict)
    for site in document["sites"]:
        if site["pid"] != pid:
            continue
        frames = [(int(frame["pc"], 16), place_of(frame)) for frame in site["frames"] if not frame["inlined"]][1:]
        stack = add(stacks, site["function"], frames, by_place)
        stack.calls += site["total_allocs"] + site["failed_allocs"]
        stack.late |= site["truncated"] in LATE
        stack.deep |= bool(site["truncated"]) and not stack.late
        stack.whole &= not site["truncated"]
    return stacks


def show(chain):
    return " ".join(f"{word:x}" if isinstance(word, int) else f"{word[0]}+{word[1]:#x}" for word in chain)


class Beginnings:
    """Chains that libdwfl could not finish."""

    def __init__(self, stacks, shortest):
        self.chains = {chain for chain, stack in stacks.items() if not stack.whole and len(chain) >= shortest}
        self.lengths = sorted({len(chain) for chain in self.chains}, reverse=True)

    def of(self, chain):
        return next((chain[:n] for n in self.lengths if chain[:n] in self.chains), None)


class Late:
    """Calls whose stack leaktrace could not finish in time: counted, and shown as far as it is known."""

    def __init__(self, stacks):
        self.calls = collections.Counter()
        for chain, stack in stacks.items():
            if stack.late:
                self.calls[self.stem(chain, stack)] += stack.calls

    @staticmethod
    def stem(chain, stack):
        """Without the frames in the library that is gone."""
        places = next(iter(stack.places))
        known = next((i for i, place in enumerate(places) if not place[0]), len(places))
        return chain[:known]

    def take(self, chain, wanted):
        """As many of the wanted calls as begin like this chain."""
        taken = 0
        for stem in sorted(self.calls, key=len, reverse=True):
            if chain[:len(stem)] == stem:
                n = min(wanted - taken, self.calls[stem])
                self.calls[stem] -= n
                taken += n
        return taken


def give_back_late(result, golden, leaktrace):
    """Each late call is one that a stack of golden's lacks. Returns leaktrace's stacks with these calls in their place."""
    late = Late(leaktrace)
    stacks = {chain: stack for chain, stack in leaktrace.items() if not stack.late}
    for chain, stack in golden.items():
        found = stacks.get(chain)
        lacking = stack.calls - (found.calls if found else 0)
        taken = late.take(chain, lacking) if lacking > 0 else 0
        if taken:
            result.late += taken
            stacks[chain] = replace(found or stack, calls=(found.calls if found else 0) + taken)
    result.surplus += [f"{calls} late: {show(stem)}" for stem, calls in late.calls.items() if calls]
    return stacks


def compare_function(result, golden, leaktrace, sampled, shortest):
    beginnings = Beginnings(golden, shortest)
    continued = collections.Counter()
    for chain, stack in leaktrace.items():
        begin = beginnings.of(chain)
        if begin is not None:
            continued[begin] += stack.calls
        elif chain not in golden and not sampled:
            result.surplus.append(show(chain))
    for chain, stack in golden.items():
        result.stacks += 1
        result.calls += stack.calls
        other = leaktrace.get(chain)
        if not stack.whole:
            result.unfinished += 1
            if not continued[chain]:
                result.missing.append(show(chain))
            elif continued[chain] != stack.calls and not sampled:
                result.miscounted.append(f"{continued[chain]} for {stack.calls}: {show(chain)}")
        elif not other:
            result.missing.append(show(chain))
        else:
            compare_stack(result, chain, stack, other, sampled)


def compare_stack(result, chain, stack, other, sampled):
    if stack.calls != other.calls and not sampled:
        result.miscounted.append(f"{other.calls} for {stack.calls}: {show(chain)}")
    if stack.places != other.places and not sampled:
        result.misplaced.append(f"{show(next(iter(other.places)))} for {show(next(iter(stack.places)))}")
    if stack.deep != other.deep:
        result.cut.append(show(chain))


def compare(golden, leaktrace, functions=FUNCTIONS, sampled=False, late=False, shortest=2):
    """The stacks of these functions. With `sampled` golden has seen only some of the calls; with `late` leaktrace need not
    have been in time for libraries that come and go. `shortest`: frames that excuse whatever leaktrace makes of the rest,
    where libdwfl could not go on; mostly, one is no evidence."""
    result = Comparison()
    for function in functions:
        found = give_back_late(result, golden[function], leaktrace[function]) if late else leaktrace[function]
        compare_function(result, golden[function], found, sampled, shortest)
    return result


class Run:
    """One program under golden, held at its entry point."""

    def __init__(self, lab, *command, functions=FUNCTIONS, options=(), by=(), program=GOLDEN, **more):
        self.lab = lab
        self.functions = functions
        self.path = lab.tmp / "golden.txt"
        self.golden = lab.program(*by, program, "-f", ",".join(functions), "-o", self.path, *options, "--", *command,
                                  **more)
        ready = self.golden.out.wait_for(r"^READY pid=(\d+)$", START_SECONDS)
        if not ready and "breakpoints of this machine's processor do not fire" in self.golden.err.text:
            pytest.skip("the breakpoints of this machine's processor do not fire: nothing to compare stacks with")
        assert ready, f"golden is not ready: {self.golden}"
        self.pid = int(ready[1])
        self.trace = None

    def trace_it(self, *options):
        """leaktrace, attached to the process that is held. golden's breakpoints are the processor's, not in the code."""
        self.trace = self.lab.start("-p", self.pid, "--debuggers-are-harmless", "--format", "json",
                                    "-w", self.lab.tmp / "report.json", *options)
        self.trace.wait_tracing()

    def go(self):
        self.golden.send()

    def finish(self, seconds=WORK_SECONDS):
        """Wait for the end of the program. Returns golden's counts."""
        done = self.golden.out.wait_for(r"^DONE (\{.*\})$", seconds)
        assert done, f"golden is not done: {self.golden}"
        assert self.golden.wait() == 0, self.golden
        return json.loads(done[1])

    def document(self, status=0):
        assert self.trace.wait() == status, self.trace
        with open(self.lab.tmp / "report.json", encoding="utf-8") as file:
            return json.load(file)

    def stacks(self, by_place=False):
        return read_golden(self.path, by_place)

    def observe(self, *options, seconds=WORK_SECONDS, status=0, meanwhile=None):
        """Trace all of it, and do something meanwhile. Returns golden's counts and leaktrace's report."""
        self.trace_it(*options)
        self.go()
        if meanwhile:
            meanwhile()
        return self.finish(seconds), self.document(status)

    def compare(self, document, **how):
        return compare(self.stacks(), read_leaktrace(document, self.pid), self.functions, **how)
