# SPDX-License-Identifier: GPL-2.0-only
"""Real programs on their own allocators, at work, with a leak put in: it is named first."""
import os
import subprocess
import time

import pytest

import traces
from allocators import check_leak_is_first, hooked, library, preloaded
from exact import caller, check_closed, check_exact, losses, process_of
from programs import START_SECONDS, WORK_SECONDS
from test_real_programs import free_port, need

SOAK = pytest.mark.soak
SECONDS = 6
LEAK = 512  # preload_leak.c

NODE_WORK = """
const dns = require('dns'), zlib = require('zlib'), crypto = require('crypto');
let turns = 0, kept = new Map();
function turn() {
  for (let i = 0; i < 200; i++) kept.set(i, Buffer.alloc(10000 + i, turns & 255));
  zlib.deflate(kept.get(turns % 200), (e, z) => zlib.inflate(z, (e, b) => {
    if (crypto.createHash('sha256').update(b).digest('hex') !=
        crypto.createHash('sha256').update(kept.get(0).fill(0)).digest('hex') && b.length == 0) process.exit(3);
    turns++;
    setTimeout(turn, 5);
  }));
}
turn();
process.stdin.once('data', () => { console.log('DONE ' + turns); process.exit(0); });
setTimeout(() => console.log('READY'), 500);
"""


def observe_leak(lab, pid, work):
    """Trace while it works and leaks. Returns the report."""
    trace = lab.start("-p", pid, "--format", "json", "--audit", "-d", SECONDS).wait_tracing()
    while trace.is_running():
        work()
    assert trace.wait() == 0, trace
    document = trace.document
    assert losses(document) == {}
    check_closed(document)
    check_leak_is_first(document)
    first = document["sites"][0]
    assert first["rising"] and first["live_bytes"] == LEAK * first["live_blocks"], first
    assert first["live_blocks"] == first["total_allocs"] > 20 * SECONDS  # 100 a second, on a slow machine fewer
    assert traces.poll(lambda: traces.changed_code(pid), []) == []
    return document


@pytest.fixture
def redis(lab):
    port = free_port()
    server = lab.program(need("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", lab.tmp,
                         env=preloaded(lab.allocator_path("preload_leak.plain")))
    server.port = str(port)
    assert server.out.wait_for("Ready to accept connections", START_SECONDS), server
    return server


def redis_benchmark(port):
    done = subprocess.run([need("redis-benchmark"), "-p", port, "-q", "-n", "3000", "-c", "8", "-r", "500", "-d", "100",
                           "-t", "set,get,incr,sadd,hset"], capture_output=True, text=True, check=True, timeout=WORK_SECONDS)
    assert "requests per second" in done.stdout, done


def test_redis(lab, redis):
    with open(f"/proc/{redis.pid}/maps", encoding="utf-8") as maps:
        if "libjemalloc" not in maps.read():
            pytest.skip("this redis-server has no libjemalloc.so")
    redis_benchmark(redis.port)
    document = observe_leak(lab, redis.pid, lambda: redis_benchmark(redis.port))
    process = process_of(document, redis.pid)
    assert any(name.startswith("libjemalloc.so") for name in hooked(process)["jemalloc"])
    assert process["allocs"] > 1000 and process["frees"] > 1000
    redis.signal(15)
    assert redis.wait() == 0, redis


@SOAK
@pytest.mark.parametrize("name, family", [(None, "libc"), ("libjemalloc.so.2", "jemalloc"), ("libmimalloc.so.2", "mimalloc"),
                                          ("libtcmalloc_minimal.so.4", "tcmalloc")])
def test_node(lab, name, family):
    libraries = [lab.allocator_path("preload_leak.plain"), *([library(name)] if name else [])]
    node = lab.program(need("node"), "-e", NODE_WORK, env=preloaded(*libraries))
    assert node.out.wait_for("^READY", START_SECONDS), node
    document = observe_leak(lab, node.pid, lambda: time.sleep(0.2))
    process = process_of(document, node.pid)
    assert family in hooked(process) and process["allocs"] > 1000
    node.send()
    assert node.wait() == 0, node
    assert node.out.wait_for(r"^DONE [1-9]\d*$", 1), node


@SOAK
@pytest.mark.parametrize("name", [None, "libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"])
def test_rust(lab, name):
    """Box, Vec, String, HashMap and a leak. Its books are kept by an allocator around the system's."""
    program = lab.tmp / "rust_family"
    source = f"{os.path.dirname(os.path.abspath(__file__))}/../victims/allocators/rust_family.rs"
    subprocess.run([need("rustc"), "--edition", "2021", "-g", "-O", "-o", program, source], check=True, timeout=WORK_SECONDS)
    victim = lab.victim_at(program, env=preloaded(library(name)) if name else None)
    trace, truth = lab.observe(victim)
    assert trace.wait() == 0, trace
    check_exact(trace.document, victim.pid, truth)
    assert caller(trace.document["sites"][0], ["leaked_here"]), trace.document["sites"][0]
    assert victim.finish() == 0, victim
