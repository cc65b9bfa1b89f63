#!/usr/bin/python3
"""signaling-server as a service: signals before it is ready, what systemd is told, how it drains, and a log that nobody
reads. The real server; nothing here waits for a time to pass, but for what is to happen.

usage: service_test.py SIGNALING_SERVER
"""

import asyncio
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from signaling_server import LIMIT, Server

try:
    import websockets
except ImportError:
    print("python3-websockets is missing")
    sys.exit(77)

running = functools.partial(Server, sys.argv[1], wait=False)


def starting_up(number):
    """A server that reads its tokens from a pipe is not ready before they are there; it gets a signal then."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = pathlib.Path(folder, "tokens")
        os.mkfifo(tokens)
        with running("--token-file", tokens) as server:
            pipe = None

            def reads():
                nonlocal pipe
                with contextlib.suppress(OSError):  # ENXIO: nobody has opened it yet
                    pipe = os.open(tokens, os.O_WRONLY | os.O_NONBLOCK)
                return pipe is not None
            server.wait_for("it read its tokens", reads)
            os.kill(server.process.pid, number)
            file = pathlib.Path(folder, "file")
            file.write_text("changed\n")
            file.rename(tokens)
            os.write(pipe, b"first\n")
            os.close(pipe)
            yield server


def early_signals():
    for server in starting_up(signal.SIGHUP):
        server.says(" reloaded")  # it is followed, not died of
        log = server.log.read_text()
        assert log.index(" ready") < log.index(" reloaded"), log
        server.process.terminate()
        server.ends()
    for number in (signal.SIGTERM, signal.SIGINT):
        for server in starting_up(number):
            server.ends()
            assert "stopping" in server.log.read_text()


class Manager:
    """systemd's side of sd_notify(3)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(LIMIT)

    def next(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())


def notifications():
    with tempfile.TemporaryDirectory() as folder:
        tokens = pathlib.Path(folder, "tokens")
        tokens.write_text("first\n")
        for path in (f"{folder}/socket", f"\0signaling-server-test-{os.getpid()}"):
            manager = Manager(path)
            with running("--token-file", tokens, environment={"NOTIFY_SOCKET": path.replace("\0", "@")}) as server:
                assert manager.next()["READY"] == "1"
                assert server.ready.exists()
                server.process.send_signal(signal.SIGHUP)
                reloading = manager.next()
                assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0, reloading
                assert manager.next() == {"READY": "1", "STATUS": ""}
                tokens.write_text("# none\n")
                server.process.send_signal(signal.SIGHUP)
                assert manager.next()["RELOADING"] == "1"
                failed = manager.next()
                assert failed["READY"] == "1" and "there is no token in it" in failed["STATUS"], failed
                tokens.write_text("first\n")
                metrics = server.get("/metrics")[1]
                assert '\nsignaling_reloads_total{outcome="done"} 1\n' in metrics, metrics
                assert '\nsignaling_reloads_total{outcome="failed"} 1\n' in metrics, metrics
                server.process.terminate()
                assert manager.next() == {"STOPPING": "1"}
                server.ends()
    for nowhere in ("", "relative", "/nonexistent/socket", "/" + "x" * 200):
        with running(environment={"NOTIFY_SOCKET": nowhere}) as server:
            server.addresses
            server.process.terminate()
            server.ends()


async def hear(client):
    return json.loads(await asyncio.wait_for(client.recv(), LIMIT))


async def join(client, name):
    await client.send(json.dumps({"type": "register", "peer_id": name}))
    assert (await hear(client))["type"] == "registered"


async def speaks(client, name):
    await client.send(json.dumps({"type": "bye", "target": name}))
    assert await hear(client) == {"type": "bye", "from": name}


def drain_delay():
    async def stays(server):
        async with websockets.connect(server.url) as al:
            await join(al, "al")
            server.wait_for("/readyz said yes", lambda: server.get("/readyz")[0] == 200)
            server.process.terminate()
            server.wait_for("/readyz said no", lambda: server.get("/readyz")[0] == 503)
            await speaks(al, "al")
            async with websockets.connect(server.url) as late:  # whoever has not heard of it
                await join(late, "late")
                await speaks(late, "late")
            assert server.get("/healthz")[0] == 200
    with running("--drain-delay", "3600") as server:
        asyncio.run(stays(server))
        server.process.terminate()  # asked twice
        server.ends()

    async def is_told(server):
        async with websockets.connect(server.url) as al:
            await join(al, "al")
            begun = time.monotonic()
            server.process.terminate()
            assert await hear(al) == {"type": "going-away"}
            assert time.monotonic() - begun >= 0.3
    with running("--drain-delay", "0.3") as server:
        asyncio.run(is_told(server))
        server.ends()


async def register_all(url, names, secret):
    for name in names:
        async with websockets.connect(url) as client:
            await client.send(json.dumps({"type": "register", "peer_id": name, "token": secret}))
            await hear(client)


def unread_log():
    """Standard error is a pipe of two pages that nobody reads: the server goes on, and says so afterwards."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 8192)
    with running("--log-level", "debug", "--threads", "2", stderr=writing) as server:
        os.close(writing)
        names = [f"p{i}" for i in range(60)]  # two lines each, of 100 octets
        asyncio.run(register_all(server.url, names, ""))
        said = os.read(reading, 65536).decode()
        assert "event=left-out" not in said and "name=p0" in said and "name=p59" not in said, said
        asyncio.run(register_all(server.url, ["last"], ""))
        said = os.read(reading, 65536).decode()
        assert "event=left-out" in said and "name=last" in said, said
        asyncio.run(register_all(server.url, names, ""))  # full again
        server.process.terminate()
        server.ends()
    os.close(reading)


def flood_of_refusals():
    """One address that is refused without end: the penalties' lines are limited, and the disk lives."""
    async def refuse(url):
        async with websockets.connect(url) as client:
            for _ in range(400):
                await client.send('{"type":"register","peer_id":"al","token":"guess-4711"}')
                assert (await hear(client))["code"] in ("unauthorized", "rate-limited")
    with tempfile.TemporaryDirectory() as folder:
        tokens = pathlib.Path(folder, "tokens")
        tokens.write_text("first\n")
        with running("--token-file", tokens, "--threads", "1", "--messages-per-second", "0", "--log-format",
                     "json") as server:
            begun = time.monotonic()
            asyncio.run(refuse(server.url))
            most = 50 + 2 * (time.monotonic() - begun) + 1
            lines = [json.loads(line) for line in server.log.read_text().splitlines()]
            refused = [e for e in lines if e.get("event") == "registration-refused"]
            ignored = [e for e in lines if e.get("event") == "registration-ignored"]
            assert 10 <= len(refused) <= most and 50 <= len(ignored) <= most, (len(refused), len(ignored))
            assert all(e["client"] == "127.0.0.1" and e["level"] == "warning" for e in refused + ignored)
            assert all(e["reason"] == "too-many-failures" for e in ignored)
            server.says('"event":"left-out","of":"registration-ignored","count":"')
            server.process.terminate()
            server.ends()


for case in (early_signals, notifications, drain_delay, unread_log, flood_of_refusals):
    print(case.__name__, flush=True)
    case()
