# SPDX-License-Identifier: GPL-2.0-only
"""Return probes that are not leaktrace's, by way of tracefs."""
import os
import re
import subprocess

GROUP = "leaktrace_test"


def file_offset(program, name):
    """Where a function is in the file of its program."""
    symbols = subprocess.run(["nm", program], capture_output=True, text=True, check=True, timeout=60).stdout
    address = int(re.search(rf"^([0-9a-f]+) [tT] {name}$", symbols, re.M)[1], 16)
    segments = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True, timeout=60).stdout
    for line in re.findall(r"^ +LOAD +(0x\S+) (0x\S+) 0x\S+ (0x\S+)", segments, re.M):
        offset, start, size = (int(word, 16) for word in line)
        if start <= address < start + size:
            return address - start + offset
    raise AssertionError(f"{name} is in no segment of {program}")


class ReturnProbes:
    """Return probes on functions of one program while the block lasts. tracefs is mounted for its own eyes only."""

    def __init__(self, program, names):
        self.events = "".join(f"r:{GROUP}/{name} {os.path.realpath(program)}:{file_offset(program, name):#x}\n"
                              for name in names)
        self.shell = None

    def __enter__(self):
        script = f"""
mount -t tracefs none /mnt && printf '%s' "$EVENTS" >>/mnt/uprobe_events && cd /mnt/events/{GROUP} && echo 1 >enable &&
echo READY
read line
echo 0 >enable; cd /; ls /mnt/events/{GROUP} | grep -v -e enable -e filter | sed 's|^|-:{GROUP}/|' >>/mnt/uprobe_events
"""
        self.shell = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, env={**os.environ, "EVENTS": self.events}, text=True)
        assert self.shell.stdout.readline() == "READY\n"
        return self

    def __exit__(self, *_):
        self.shell.communicate("\n", timeout=60)
