# SPDX-License-Identifier: GPL-2.0-only
"""What golden does, by gdb: gdb -batch -x walk_by_gdb.py --args COMMAND. The chains at malloc go to the file $CHAINS."""
import collections
import os
import re

import gdb

SETTINGS = ("pagination off", "confirm off", "disable-randomization on", "startup-with-shell off", "backtrace past-main on",
            "backtrace past-entry on", "backtrace limit 600", "debug-file-directory /nonexistent", "print thread-events off")


def run_to_entry():
    gdb.execute("starti", to_string=True)
    entry = re.search(r"AT_ENTRY.*?(0x[0-9a-f]+)", gdb.execute("info auxv", to_string=True))[1]
    gdb.execute(f"tbreak *{entry}", to_string=True)
    gdb.execute("continue", to_string=True)


def chain():
    """gdb also shows what was inlined, and who made a tail call: neither has a return address on the stack."""
    pcs, frame = [], gdb.newest_frame().older()
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            pcs.append(f"{frame.pc():x}@-1@0")
        frame = frame.older()
    return " ".join(pcs)


def main():
    for setting in SETTINGS:
        gdb.execute(f"set {setting}")
    gdb.execute("handle all nostop noprint pass", to_string=True)
    run_to_entry()
    gdb.execute("break *((void *)malloc)", to_string=True)
    chains = collections.Counter()
    gdb.execute("continue", to_string=True)
    while gdb.selected_inferior().pid:
        chains[chain()] += 1
        gdb.execute("continue", to_string=True)
    with open(os.environ["CHAINS"], "w", encoding="utf-8") as file:
        file.writelines(f"malloc {calls} whole {pcs}\n" for pcs, calls in chains.items())


main()
