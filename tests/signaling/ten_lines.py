#!/usr/bin/python3
"""A client of ten lines that knows only register, offer and answer, against the real server.

usage: ten_lines.py SIGNALING-SERVER     (status 77: python3-websockets is missing)
"""

import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from signaling_server import LIMIT, Server

try:
    import websockets
except ImportError:
    print("skipped: python3-websockets is missing")
    sys.exit(77)


async def client(url, name, target=None):
    async with websockets.connect(url) as ws:
        await ws.send(json.dumps({"type": "register", "peer_id": name}))
        if target:
            await ws.send(json.dumps({"type": "offer", "target": target, "sdp": f"offer of {name} ☎"}))
        async for text in ws:
            m = json.loads(text)
            if m["type"] == "offer":
                await ws.send(json.dumps({"type": "answer", "target": m["from"], "sdp": "re: " + m["sdp"]}))
            if m["type"] == "answer":
                return m
            if m["type"] == "error":
                return m


async def main(url):
    offline = await client(url, "early", "listener")
    assert offline["code"] == "peer-not-found" and offline["target"] == "listener", offline
    listener = asyncio.ensure_future(client(url, "listener"))
    answer = {"code": "peer-not-found"}
    while answer.get("code") == "peer-not-found":  # until the listener has registered
        answer = await client(url, "caller", "listener")
    assert answer == {"type": "answer", "from": "listener", "sdp": "re: offer of caller ☎"}, answer
    listener.cancel()


with Server(sys.argv[1]) as server:
    asyncio.run(asyncio.wait_for(main(server.url), LIMIT))
    server.process.terminate()
    server.ends()
    print("1 passed, 0 failed")
