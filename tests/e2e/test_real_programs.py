# SPDX-License-Identifier: GPL-2.0-only
"""Real programs at work while they are traced: they keep working, the sums close, nothing of the trace stays."""
import glob
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

import traces
from exact import check_closed, losses
from programs import START_SECONDS, WORK_SECONDS

SHORT, LONG = 6, 20
SECONDS = [SHORT, pytest.param(LONG, marks=pytest.mark.soak)]

PYTHON_WORK = """
import json, sys, threading, time
print("READY", flush=True)
end = time.monotonic() + float(sys.stdin.readline())
kept, turns = [], [0] * 4
def work(me):
    while time.monotonic() < end:
        rows = [{"id": i, "name": "n" * (i % 90), "list": list(range(i % 20))} for i in range(200)]
        assert json.loads(json.dumps(rows)) == rows
        kept.append(rows[turns[me] % 200]["name"] + str(turns[me]))
        turns[me] += 1
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print("DONE", sum(turns), len(kept) == sum(turns), flush=True)
sys.stdin.readline()
"""


def need(program):
    path = shutil.which(program) or next(iter(glob.glob(f"/usr/lib/postgresql/*/bin/{program}")), None)
    if not path:
        pytest.skip(f"{program} is not installed")
    return path


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def check_trace(trace, pids):
    """The report of a trace that was stopped while its targets were idle, or that ended with them."""
    assert trace.stop() == 0, trace
    document = trace.document
    check_closed(document)
    assert losses(document) == {}
    assert {p["pid"] for p in document["processes"]} == set(pids)
    assert document["sites"] and sum(p["allocs"] for p in document["processes"]) > 0
    for pid in pids:
        if os.path.exists(f"/proc/{pid}"):
            assert traces.poll(lambda at=pid: traces.changed_code(at), []) == []
    return document


def start_trace(lab, pids):
    return lab.start("-p", ",".join(map(str, pids)), "--format", "json", "--audit").wait_tracing()


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("allocator", ["malloc", "pymalloc"])
def test_python(lab, seconds, allocator):
    """With and without its own allocator of small objects between the program and libc."""
    python = lab.program(need("python3.11") if os.path.exists("/usr/bin/python3.11") else "/usr/bin/python3", "-c",
                         PYTHON_WORK, env={**os.environ, "PYTHONMALLOC": allocator})
    assert python.out.wait_for("^READY", START_SECONDS)
    trace = start_trace(lab, [python.pid])
    python.send(f"{seconds}\n")
    assert python.out.wait_for(r"^DONE [1-9]\d* True$", seconds + WORK_SECONDS), python
    check_trace(trace, [python.pid])
    python.send()
    assert python.wait() == 0, python


@pytest.mark.parametrize("seconds", SECONDS)
def test_sqlite(lab, seconds):
    sqlite = lab.program(need("sqlite3"), lab.tmp / "test.db")
    sqlite.send("pragma journal_mode=wal; create table t(a integer primary key, b text, c blob); create index i on t(b);\n"
                "select 'READY';\n")
    assert sqlite.out.wait_for("^READY", START_SECONDS), sqlite
    trace = start_trace(lab, [sqlite.pid])
    end, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        rounds += 1
        sqlite.send("begin; with recursive n(x) as (select 1 union all select x + 1 from n where x < 500) "
                    "insert into t(b, c) select hex(randomblob(20)), randomblob(x % 300) from n; commit;\n"
                    "select 'SUM', count(*) > sum(length(b) = 40) from t; delete from t where a % 7 = 0;\n"
                    f"select 'ROUND {rounds}';\n")
        assert sqlite.out.wait_for(f"^ROUND {rounds}$", WORK_SECONDS), sqlite
    check_trace(trace, [sqlite.pid])
    sqlite.send("pragma integrity_check;\n.quit\n")
    assert sqlite.wait() == 0, sqlite
    assert sqlite.out.lines[-1] == "ok" and rounds > 0 and sqlite.err.text == ""


def start_nginx(lab, port):
    (lab.tmp / "index.html").write_text("hello " * 1000)
    (lab.tmp / "nginx.conf").write_text(f"""
daemon off; worker_processes 2; pid {lab.tmp}/pid; error_log stderr warn; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {lab.tmp}/b; proxy_temp_path {lab.tmp}/p; fastcgi_temp_path {lab.tmp}/f;
  uwsgi_temp_path {lab.tmp}/u; scgi_temp_path {lab.tmp}/s; gzip on; gzip_types *;
  server {{ listen 127.0.0.1:{port}; root {lab.tmp};
            location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/; }} }}
}}
""")
    nginx = lab.program(need("nginx"), "-p", lab.tmp, "-c", lab.tmp / "nginx.conf")
    assert traces.poll(lambda: answers(port), True, START_SECONDS), nginx
    return nginx


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


@pytest.mark.parametrize("seconds", SECONDS)
def test_nginx_under_load(lab, seconds):
    ab, port = need("ab"), free_port()
    nginx = start_nginx(lab, port)
    pids = [nginx.pid, *traces.children(nginx.pid)]
    assert len(pids) == 3
    trace = start_trace(lab, pids)
    # ab takes its limit of requests as the end, so that there is always one that is out of reach.
    load = lab.program(ab, "-q", "-H", "Accept-Encoding: gzip", "-t", seconds, "-n", 10**7, "-c", 8,
                       f"http://127.0.0.1:{port}/proxy/index.html")
    assert load.wait(seconds + WORK_SECONDS) == 0, load
    assert int(re.search(r"Complete requests: +(\d+)", load.out.text)[1]) > 0
    assert re.search(r"Failed requests: +0$", load.out.text, re.M) and "Non-2xx" not in load.out.text, load
    time.sleep(0.5)
    check_trace(trace, pids)
    assert answers(port)
    nginx.signal(3)  # SIGQUIT: graceful
    assert nginx.wait() == 0, nginx


class Postgres:
    """A cluster of its own, in a folder that user postgres may enter."""

    def __init__(self, lab):
        try:
            self.user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("there is no user postgres")
        self.lab, self.port = lab, str(free_port())
        self.folder = tempfile.mkdtemp(prefix="leaktrace-postgres-")
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.call("initdb", "-D", f"{self.folder}/data", "-A", "trust", "--no-sync")
        self.server = self.start("postgres", "-D", f"{self.folder}/data", "-k", self.folder, "-p", self.port,
                                 "-c", "listen_addresses=", "-c", "fsync=off")
        assert self.server.err.wait_for("ready to accept connections", START_SECONDS), self.server
        self.call("pgbench", *self.client(), "-i", "-q", "-s", "1")

    def client(self):
        return ["-h", self.folder, "-p", self.port, "postgres"]

    def command(self, name, *args):
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups", need(name),
                *args]

    def start(self, name, *args):
        return self.lab.program(*self.command(name, *args), cwd=self.folder, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})

    def call(self, name, *args):
        program = self.start(name, *args)
        assert program.wait(WORK_SECONDS) == 0, program

    def backends(self):
        return [pid for pid in traces.children(self.server.pid)
                if b"[local]" in open(f"/proc/{pid}/cmdline", "rb").read()]

    def close(self):
        self.server.signal(2)  # SIGINT: fast shutdown
        status = self.server.wait()
        shutil.rmtree(self.folder)
        return status


@pytest.fixture
def postgres(lab):
    it = Postgres(lab)
    yield it
    if os.path.exists(it.folder):
        it.server.kill()
        shutil.rmtree(it.folder)


@pytest.mark.parametrize("seconds", SECONDS)
def test_postgres_under_load(lab, postgres, seconds):
    load = postgres.start("pgbench", *postgres.client(), "-c", "4", "-j", "2", "-T", str(seconds + 3))
    assert traces.poll(lambda: len(postgres.backends()), 4, START_SECONDS) == 4, load
    pids = [postgres.server.pid, *traces.children(postgres.server.pid)]
    trace = start_trace(lab, pids)
    assert load.wait(seconds + WORK_SECONDS) == 0, load
    assert int(re.search(r"transactions actually processed: (\d+)", load.out.text)[1]) > 0
    assert re.search(r"failed transactions: 0 ", load.out.text), load
    assert traces.poll(postgres.backends, []) == []
    document = check_trace(trace, pids)
    assert sum(1 for p in document["processes"] if p["ended"] == "exit") == 4
    subprocess.run(postgres.command("psql", *postgres.client(), "-c", "select sum(abalance) from pgbench_accounts"),
                   check=True, timeout=60, cwd=postgres.folder, stdout=subprocess.DEVNULL)
    assert postgres.close() == 0, postgres.server
