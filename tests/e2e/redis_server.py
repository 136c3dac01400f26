# SPDX-License-Identifier: GPL-2.0-only
"""redis-server for as long as it takes to ask it for things of many kinds."""
import subprocess

import traces
from programs import START_SECONDS, WORK_SECONDS

REQUESTS = (
    ["set", "k", "v" * 1000], ["lpush", "l", *map(str, range(300))], ["sort", "l"], ["info"], ["hset", "h", "f", "v"],
    ["eval", "return redis.call('get', 'k')", "0"], ["zadd", "z", "1", "m"], ["config", "get", "*"],
    ["debug", "sleep", "0"], ["shutdown", "nosave"])


def command(server, folder):
    return [server, "--port", 0, "--unixsocket", folder / "redis", "--save", "", "--dir", folder]


def ask(client, folder):
    """In the end it shuts down."""
    assert traces.poll((folder / "redis").exists, True, START_SECONDS), "redis-server does not listen"
    for words in REQUESTS:
        subprocess.run([client, "-s", folder / "redis", *words], timeout=WORK_SECONDS, stdout=subprocess.DEVNULL, check=False)
