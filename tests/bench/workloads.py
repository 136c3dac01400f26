# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: programs that wait while a tool attaches, do a fixed amount of work, and wait again."""
import os
import re
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
READY_SECONDS = 60
WORK_SECONDS = 120


class Unavailable(Exception):
    """Something is not installed or does not work here; the text says what would help."""


def cpu_seconds(pid):
    """CPU time of a process with all its threads, also those that ended: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def need(program, package):
    path = shutil.which(program)
    if not path:
        raise Unavailable(f"{program} is not installed (package {package})")
    return path


def build_loops(build):
    source, target = f"{HERE}/heap_loops.c", f"{build}/heap_loops"
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        subprocess.run([*os.environ.get("CC", "gcc").split(), "-O2", "-g", "-fno-builtin", "-fno-omit-frame-pointer",
                        "-pthread", "-Wall", "-Wextra", source, "-o", target], check=True, timeout=60)
    return target


class Workload:
    """`ops` units of work while a tool looks on; `alone` times as many without one, as they are over so soon."""
    ready = r"^READY"
    note = None

    def __init__(self, name, unit, ops, alone):
        self.name, self.unit, self.ops, self.alone = name, unit, ops, alone

    def check(self):
        """Raises Unavailable."""

    def command(self, folder, ops):
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self, lab, tool, ops):
        command = [*tool.prefix(), *self.command(lab.folder, ops)]
        program = lab.add(command, env={**os.environ, **self.environment()})
        if not program.out.wait_for(self.ready, READY_SECONDS):
            raise Unavailable(f"{self.name} did not start: {program}")
        return program

    def work(self, lab, program, ops):
        """Do it all; nanoseconds of CPU for one unit."""
        before = cpu_seconds(program.pid)
        self.order(lab, program, ops)
        return (cpu_seconds(program.pid) - before) * 1e9 / ops

    def order(self, lab, program, ops):
        program.send("go\n")
        self.wait_done(program)

    @staticmethod
    def wait_done(program):
        match = program.out.wait_for(r"^DONE.*$", WORK_SECONDS)
        if not match:
            raise Unavailable(f"the work was not done within {WORK_SECONDS} s: {program}")
        return match[0]


class Loop(Workload):
    def __init__(self, name, mode, build, **numbers):
        super().__init__(name, **numbers)
        self.mode, self.program = mode, build_loops(build)

    def command(self, folder, ops):
        return [self.program, self.mode, str(ops)]

    def work(self, lab, program, ops):
        program.send("g")
        return int(re.search(r"cpu_ns=(\d+)", self.wait_done(program))[1]) / ops


class Sqlite(Workload):
    def check(self):
        need("sqlite3", "sqlite3")

    def command(self, folder, ops):
        with open(f"{folder}/insert.sql", "w", encoding="ascii") as file:
            file.write("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INTEGER);\nBEGIN;\n")
            file.writelines(f"INSERT INTO t(name, n) VALUES('name of row {i}', {i * 7919 % ops});\n"
                            for i in range(ops))
            file.write("COMMIT;\n")
        # No -interactive: without line buffering the answers would stay in the shell's buffer.
        return ["stdbuf", "-oL", need("sqlite3", "sqlite3"), "-batch", "-init", "/dev/null", ":memory:"]

    def start(self, lab, tool, ops):
        command = self.command(lab.folder, ops)
        program = lab.add([*command[:2], *tool.prefix(), *command[2:]],
                          env={**os.environ, **self.environment()})
        program.send(".print READY\n")
        if not program.out.wait_for(self.ready, READY_SECONDS):
            raise Unavailable(f"sqlite3 did not start: {program}")
        return program

    def order(self, lab, program, ops):
        program.send(f".read {lab.folder}/insert.sql\n.print DONE\n")
        self.wait_done(program)


def own_libc():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return re.search(r"/\S*/libc\.so\.6$", maps.read(), re.M)[0]


class Redis(Workload):
    """redis-server, one core, requests by redis-benchmark through a socket in the folder."""
    ready = r"[Rr]eady to accept connections"
    PIPELINE = 16

    def __init__(self, name, **numbers):
        super().__init__(name, **numbers)
        self.preload = {}

    def check(self):
        server = need("redis-server", "redis-server")
        need("redis-benchmark", "redis-tools")
        linked = subprocess.run(["ldd", server], capture_output=True, text=True, check=False, timeout=10).stdout
        if "jemalloc" in linked:
            self.preload = {"LD_PRELOAD": own_libc()}
            self.note = "redis-server is linked with jemalloc; libc's malloc is put before it by LD_PRELOAD"

    def environment(self):
        return self.preload

    def command(self, folder, ops):
        return [need("redis-server", "redis-server"), "--port", "0", "--unixsocket", f"{folder}/redis.sock",
                "--dir", folder, "--save", "", "--appendonly", "no"]

    def order(self, lab, program, ops):
        client = lab.add([need("redis-benchmark", "redis-tools"), "-s", f"{lab.folder}/redis.sock", "-t", "set",
                          "-n", str(ops), "-P", str(self.PIPELINE), "-d", "64", "-r", "10000", "-c", "10", "-q"])
        if client.wait(WORK_SECONDS):
            raise Unavailable(f"redis-benchmark failed: {client}")


PYTHON_JSON = """
import json, sys
data = {"rows": [{"id": i, "name": f"name of row {i}", "tags": ["a" * (i % 40), "b", i * 0.5]} for i in range(200)]}
print("READY", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    json.loads(json.dumps(data))
print("DONE", flush=True)
sys.stdin.readline()
"""


class PythonJson(Workload):
    def check(self):
        need("python3", "python3")

    def command(self, folder, ops):
        return ["/usr/bin/python3", "-c", PYTHON_JSON, str(ops)]


def all_workloads(build, share):
    """`share`: what part of the usual work is done."""
    def n(ops):
        return max(1, int(ops * share))
    return [
        Loop("malloc+free 64 B", "pair", build, unit="pair", ops=n(40000), alone=200),
        Loop("realloc growing", "realloc", build, unit="call", ops=n(40000), alone=200),
        Loop("8 threads mixed", "threads", build, unit="pair", ops=n(40000), alone=50),
        Sqlite("sqlite3 inserts", unit="row", ops=n(10000), alone=4),
        Redis("redis SET", unit="SET", ops=n(20000), alone=1),
        PythonJson("python3 json", unit="round", ops=n(250), alone=2),
    ]
