# SPDX-License-Identifier: GPL-2.0-only
"""What a tracer leaves in the system: breakpoints in the code of a process, probes, BPF programs."""
import glob
import json
import os
import re
import subprocess
import time


def living_thread(pid):
    """The folder of /proc of a thread that still has memory: the first one may have ended before the others."""
    threads = [f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")]
    return next(t for t in threads if os.path.exists(f"{t}/exe"))


def changed_code(pid):
    """Places where executable memory of a process differs from the file it was mapped from: a breakpoint."""
    places, thread = [], living_thread(pid)
    with open(f"{thread}/maps", encoding="utf-8") as maps, open(f"{thread}/mem", "rb", 0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) \S+ [1-9]\d* +(/.*)", line)
            if not match or match[4].endswith(" (deleted)"):
                continue
            start, end, offset = (int(match[i], 16) for i in (1, 2, 3))
            with open(f"{thread}/root{match[4]}", "rb") as file:
                file.seek(offset)
                wanted = file.read(end - start)
            memory.seek(start)
            found = memory.read(end - start)[:len(wanted)]
            places += [f"{match[4]}+{offset + i:#x}" for i in range(len(wanted)) if found[i] != wanted[i]] \
                if found != wanted else []
    return places


def address(pid, path, offset):
    """Where a place of a file is in the memory of a process."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for match in re.finditer(rf"^(\w+)-(\w+) r-xp (\w+) \S+ \d+ +{re.escape(path)}$", maps.read(), re.M):
            start, end, first = (int(word, 16) for word in match.groups())
            if first <= offset < first + end - start:
                return start + offset - first
    raise AssertionError(f"{path} is not mapped at {offset:#x}")


def held_programs():
    """Ids of the BPF programs that some process has open, by itself or through a link."""
    held = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path, encoding="utf-8") as file:
                held.update(int(i) for i in re.findall(r"^prog_id:\s*(\d+)", file.read(), re.M))
        except OSError:
            pass
    return held


def bpf_programs():
    output = subprocess.run([os.environ.get("BPFTOOL") or "bpftool", "prog", "list", "--json"], capture_output=True, check=True, timeout=30).stdout
    return {program["id"]: program.get("name", "?") for program in json.loads(output)}


def abandoned_programs(before):
    """Programs loaded since `before` that no process has open: the kernel keeps them for a link or a probe."""
    now = bpf_programs()
    held = held_programs()
    return sorted(name for number, name in now.items() if number not in before and number not in held)


def uprobe_events():
    """
    Probes defined by way of tracefs, mounted for this look only; none where it cannot be mounted. Those of the group
    leaktrace_test belong to tests, which may run beside this one.
    """
    look = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tracefs none /mnt && cat /mnt/uprobe_events"],
                          capture_output=True, text=True, timeout=30)
    return {line for line in look.stdout.splitlines() if ":leaktrace_test/" not in line}


def poll(function, wanted, seconds=20):
    """The kernel releases programs and breakpoints some time after their last user. Returns the last answer."""
    end = time.monotonic() + seconds
    while (found := function()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    return found


def children(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with open(path, encoding="utf-8") as file:
            found += [int(word) for word in file.read().split()]
    return found


def running(name):
    """Pids of the processes called `name`."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if file.read() == f"{name}\n":
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


def is_root():
    return os.geteuid() == 0
