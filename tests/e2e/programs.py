# SPDX-License-Identifier: GPL-2.0-only
"""Programs under test: started, watched line by line, and never outliving their test."""
import json
import os
import re
import signal
import subprocess
import threading
import time

# This machine may be slow and busy: these bound a hang, they do not measure. An emulated one is slower (tests/kernels).
SLOWNESS = int(os.environ.get("LEAKTRACE_SLOWNESS", "1"))
START_SECONDS = 60 * SLOWNESS
WORK_SECONDS = 120 * SLOWNESS
STOP_SECONDS = 90 * SLOWNESS  # perf uprobes take seconds to detach


class Stream:
    """What a pipe or a terminal has brought so far."""

    def __init__(self, file):
        self.data = bytearray()
        self.closed = False
        self.changed = threading.Condition()
        threading.Thread(target=self._read, args=(file,), daemon=True).start()

    def _read(self, file):
        while chunk := self._next(file):
            with self.changed:
                self.data += chunk
                self.changed.notify_all()
        file.close()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    @staticmethod
    def _next(file):
        try:
            return os.read(file.fileno(), 65536)
        except OSError:  # a terminal whose other side has gone
            return b""

    @property
    def text(self):
        return self.data.decode("utf-8", "replace")

    @property
    def lines(self):
        return self.text.splitlines()

    def wait_for(self, pattern, seconds):
        """The match of a line, or None when time is up or the stream ends without it."""
        end = time.monotonic() + seconds
        with self.changed:
            while not (match := re.search(pattern, self.text, re.M)):
                if self.closed or not self.changed.wait(max(0, end - time.monotonic())):
                    return re.search(pattern, self.text, re.M)
            return match

    def wait_closed(self, seconds):
        with self.changed:
            self.changed.wait_for(lambda: self.closed, seconds)


class Program:
    """A process in its own session, with its output read as it comes."""

    def __init__(self, command, stdout=subprocess.PIPE, **options):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE,
                                        start_new_session=True, **options)
        self.out = Stream(self.process.stdout) if self.process.stdout else None
        self.err = Stream(self.process.stderr)

    @property
    def pid(self):
        return self.process.pid

    def __str__(self):
        out = self.out.text[-3000:] if self.out else ""
        return f"{' '.join(self.command)}\nstatus {self.process.returncode}\nstdout: {out}\nstderr: {self.err.text[-3000:]}"

    __repr__ = __str__  # pytest shows it with a failed assertion

    def send(self, text="\n"):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit status, negative for a signal; a program that does not end fails the test."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not ended after {seconds} s: {self}") from None
        for stream in (self.out, self.err):
            if stream:
                stream.wait_closed(5)
        return self.process.returncode

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        """End the whole session."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(10)


class Victim(Program):
    """A program of tests/victims, which tells the truth about itself (see victim.h)."""

    def __init__(self, command, **options):
        super().__init__(command, **options)
        if not self.out.wait_for(r"^READY pid=\d+$", START_SECONDS):
            self.kill()
            raise AssertionError(f"victim is not ready: {self}")

    def go(self):
        self.send()

    def truth(self, seconds=WORK_SECONDS):
        """Wait until its work is done. From then on it allocates nothing."""
        match = self.out.wait_for(r"^TRUTH (\{.*\})$", seconds)
        assert match, f"victim told no truth: {self}"
        return json.loads(match[1])

    def finish(self):
        self.send()
        return self.wait()


class Leaktrace(Program):
    """leaktrace itself."""

    def wait_tracing(self):
        assert self.err.wait_for(r"^leaktrace: tracing ", START_SECONDS), f"does not trace: {self}"
        return self

    def stop(self, number=signal.SIGINT):
        self.signal(number)
        return self.wait()

    @property
    def documents(self):
        """Every JSON document on stdout."""
        return json_documents(self.out.text)

    @property
    def document(self):
        documents = self.documents
        assert documents, f"no report: {self}"
        return documents[-1]

    @property
    def complaints(self):
        """Lines for a person on stderr that are neither warnings nor the start of the trace."""
        return [line for line in self.err.lines if not re.match(r"leaktrace: (warning: |tracing )", line)]


def json_documents(text):
    decoder, documents, at = json.JSONDecoder(), [], 0
    while match := re.compile(r"\S").search(text, at):
        document, at = decoder.raw_decode(text, match.start())
        documents.append(document)
    return documents
