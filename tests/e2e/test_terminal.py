# SPDX-License-Identifier: GPL-2.0-only
"""What a person sees who starts leaktrace in a terminal: one calm screen, and the last report whole."""
import fcntl
import os
import pty
import re
import struct
import termios

import pytest

from programs import START_SECONDS, Stream

ROWS, COLUMNS = 20, 70
HOME, CLEAR, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"


class Terminal:
    def __init__(self, rows, columns):
        master, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.out = Stream(os.fdopen(master, "rb", 0))

    def close(self):
        os.close(self.end)
        self.out.wait_closed(10)


@pytest.fixture
def terminal():
    it = Terminal(ROWS, COLUMNS)
    yield it
    it.close()


def screens(text):
    """What each redraw put on the screen, and the final report."""
    *drawn, final = re.split(re.escape(HOME), text.replace("\r\n", "\n"))[1:]
    return drawn, final


def test_one_screen_redrawn_in_place(lab, terminal):
    victim = lab.victim("leak_o0", "1000000", "1000")
    trace = lab.start("-p", victim.pid, "200ms", "4", stdout=terminal.end).wait_tracing()
    victim.go()
    assert trace.wait() == 0, trace
    assert terminal.out.wait_for("^next: ", START_SECONDS), terminal.out.text
    drawn, final = screens(terminal.out.text)
    assert terminal.out.text.startswith(CLEAR + HOME) and terminal.out.text.count(CLEAR) == 1
    assert len(drawn) == 3
    for screen in drawn:
        lines = screen.removesuffix(REST_OF_SCREEN).splitlines()
        assert screen.endswith(REST_OF_SCREEN) and 5 < len(lines) < ROWS, screen
        assert all(line.endswith(REST_OF_LINE) for line in lines), screen
        assert max(len(line.removesuffix(REST_OF_LINE)) for line in lines) <= COLUMNS, screen
    assert final.startswith(REST_OF_SCREEN)
    shown = final.removeprefix(REST_OF_SCREEN)
    assert "\x1b" not in shown and max(map(len, shown.splitlines())) <= COLUMNS, shown
    assert "leaky_function" in shown and "ended: " in shown
    victim.kill()


def test_a_terminal_gets_reports_without_an_interval(lab, terminal):
    """Someone is looking, so each window is shown; what is written elsewhere is one report."""
    victim = lab.victim("leak_o0", "1000000", "1000")
    trace = lab.start("-p", victim.pid, "-d", "2400ms", stdout=terminal.end).wait_tracing()
    victim.go()
    assert trace.wait() == 0, trace
    assert terminal.out.wait_for("^next: ", START_SECONDS), terminal.out.text
    drawn, final = screens(terminal.out.text)
    assert len(drawn) >= 5 and "ended: " in final
    victim.kill()


def test_json_is_not_for_the_terminal(lab, terminal):
    victim = lab.victim("leak_o0")
    trace = lab.start("-p", victim.pid, "100ms", "2", "--format", "json", stdout=terminal.end)
    assert trace.wait() == 0, trace
    assert terminal.out.wait_for(r'^\{"schema".*\n\{"schema".*\n', START_SECONDS)
    assert "\x1b" not in terminal.out.text
