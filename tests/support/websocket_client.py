"""Clients on Python's websockets, which Debian's own interpreter has: register, and offer something."""

import json
import ssl

import websockets


async def join(url, trusted, name, token=None, **how):
    """`trusted` is a file of certificates, or None where `url` is ws://."""
    if trusted:
        how["ssl"] = ssl.create_default_context(cafile=trusted)
    client = await websockets.connect(url, **how)
    register = {"type": "register", "peer_id": name}
    await client.send(json.dumps({**register, "token": token} if token else register))
    answer = json.loads(await client.recv())
    assert answer["type"] == "registered", answer
    return client


async def say(sender, receiver, target, sdp):
    await sender.send(json.dumps({"type": "offer", "target": target, "sdp": sdp}))
    heard = json.loads(await receiver.recv())
    assert heard.get("sdp") == sdp, {**heard, "sdp": len(heard.get("sdp", ""))}
