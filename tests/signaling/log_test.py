#!/usr/bin/python3
"""What signaling-server writes to its log: never a secret, a token, an SDP or a candidate; always who was refused, and
why, by the client's own address behind a proxy too. The real server at every level and in both formats, used well and
badly, then its log searched.

usage: log_test.py SIGNALING_SERVER
"""

import asyncio
import json
import pathlib
import re
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from signaling_server import LIMIT, Server

try:
    import websockets
except ImportError:
    print("python3-websockets is missing")
    sys.exit(77)

CLIENT = "203.0.113.77"  # as the proxy in front says
TOKEN, GUESS, TURN, KEY = "token-of-al-0815", "guess-4711", "turn-secret-0042", "k" * 20 + "hmac-secret-1234"
NOT_ASCII = "https://x" + "\u00ff" * 120  # whose 200th octet is within a character
SDP, CANDIDATE, MISPLACED = "v=0 sdp-marker", "candidate:marker 1 udp", "misplaced-marker"


async def say(socket, **message):
    await socket.send(json.dumps(message))


async def hear(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), LIMIT))


def connect(url):
    return websockets.connect(url, extra_headers={"X-Forwarded-For": CLIENT}, open_timeout=LIMIT)


async def misuse(url):
    """Clients that the server ends, or answers with errors, for as many reasons as can be had quickly."""
    for text in ('{"type":"register","token":"%s","peer_id":' % TOKEN, '{"type":"%s"}' % MISPLACED,
                 '{"type":"offer","target":"al","sdp":"%s"}' % SDP, '{"sdp":"%s"}' % SDP, SDP):
        async with connect(url) as socket:
            await socket.send(text)
            assert (await hear(socket))["type"] == "error"
    async with connect(url) as socket:
        await say(socket, type="register", peer_id="mallory", token=GUESS)
        assert (await hear(socket))["code"] == "unauthorized"
        await say(socket, type="register", peer_id="mallory")
        assert (await hear(socket))["code"] == "unauthorized"
    for origin in ("https://evil.example", NOT_ASCII):
        try:
            async with websockets.connect(url, origin=origin, open_timeout=LIMIT,
                                          extra_headers={"X-Forwarded-For": CLIENT}):
                raise AssertionError("a page of another origin was let in")
        except websockets.exceptions.InvalidStatusCode as refused:
            assert refused.status_code == 403, refused
    async with connect(url) as socket:
        await socket.send('{"type":"offer","target":"al","sdp":"%s"}' % (SDP * 10_000))
        try:
            while True:
                await hear(socket)
        except websockets.exceptions.ConnectionClosed as closed:
            assert closed.code == 1009, closed


async def use(url):
    """Two clients that find each other, and one that takes over; what was secret in it."""
    async with connect(url) as al, connect(url) as bob:
        await say(al, type="register", peer_id="al", token=TOKEN)
        await say(bob, type="register", peer_id="bob", token=TOKEN)
        mine, bobs = await hear(al), await hear(bob)
        await say(al, type="offer", target="bob", sdp=SDP)
        assert (await hear(bob))["sdp"] == SDP
        await say(bob, type="candidate", target="al", candidate={"candidate": CANDIDATE})
        assert (await hear(al))["candidate"]["candidate"] == CANDIDATE
        await say(al, type="offer", target="nobody", sdp=SDP)
        assert (await hear(al))["code"] == "peer-not-found"
        async with connect(url) as again:
            await say(again, type="register", peer_id="al", token=TOKEN, resume=mine["resume"])
            assert (await hear(again))["type"] == "registered"
        credentials = [s["credential"] for m in (mine, bobs) for s in m["ice_servers"] if "credential" in s]
        assert credentials
        return [mine["resume"], bobs["resume"], *credentials]


def log_of(level, form):
    with tempfile.TemporaryDirectory() as folder:
        tokens, key = pathlib.Path(folder, "tokens"), pathlib.Path(folder, "key")
        tokens.write_text(f"{TOKEN}\n")
        key.write_text(f"{KEY}\n")
        options = ["--log-level", level, "--log-format", form, "--token-file", tokens, "--jwt-key", key,
                   "--trusted-proxy", "127.0.0.1", "--allow-origin", "https://app.example"]
        with Server(sys.argv[1], *options, environment={"TURN_SECRET": TURN}) as server:
            async def both():
                await misuse(server.url)
                return await use(server.url)
            secrets = asyncio.run(both())
            tokens.write_text(f"{TOKEN} {'x' * 65}\n")
            key.write_text("short-" + KEY[:12])
            server.process.send_signal(signal.SIGHUP)
            if level in ("trace", "error"):
                server.says("not reloaded")
            server.process.terminate()
            server.ends()
            return server.log.read_text(), secrets


def events_of(log, form):
    """Each event with its fields; the time and the level among them."""
    for line in log.splitlines():
        if form == "json":
            fields = json.loads(line)
            assert {"time", "level", "message"} <= set(fields), line
            assert all(isinstance(v, str) for v in fields.values()), line
        else:
            time, level, rest = line.split(" ", 2)
            fields = {"time": time, "level": level, **dict(re.findall(r"(?:^| )([a-z_]+)=(\S+)", rest))}
        if "event" in fields:
            yield fields


def check_events(log, level, form):
    events = list(events_of(log, form))
    assert all(e["client"] == CLIENT for e in events), log

    def count(**wanted):
        return sum(wanted.items() <= e.items() for e in events)

    seen = level != "error"  # warnings are
    refusal = {"event": "registration-refused", "level": "warning", "name": "mallory", "code": "unauthorized"}
    assert count(**refusal, reason="wrong-token") == seen, log
    assert count(**refusal, reason="no-token") == seen, log
    assert count(event="origin-refused", level="warning", origin="https://evil.example") == seen, log
    assert count(event="origin-refused", level="warning") == 2 * seen and log.isascii(), log
    seen = level in ("trace", "debug")
    assert count(event="registered", level="debug", name="al") == 2 * seen, log
    assert count(event="registered", level="debug", name="al", reason="resumed") == seen, log
    assert count(event="closed", level="debug", name="al", code="4001", reason="superseded") == seen, log
    assert count(event="closed", level="debug", code="1009", reason="too-large") == seen, log
    assert count(event="left", level="debug", name="bob", reason="closed") == seen, log


def main():
    for level, form in (("trace", "text"), ("trace", "json"), ("debug", "json"), ("info", "text"), ("error", "text")):
        log, secrets = log_of(level, form)
        for word in (TOKEN, GUESS, TURN, KEY[:12], "sdp-marker", "candidate:", MISPLACED, *secrets):
            assert word not in log, f"'{word}' stands in the log at {level}, {form}:\n{log}"
        check_events(log, level, form)


main()
