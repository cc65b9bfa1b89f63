#!/usr/bin/python3
"""An equal server on Python's `websockets`, for comparison: names, and offers forwarded with `from` in place of
`target`.
"""

import asyncio
import json
import sys

import websockets

names = {}


async def serve(socket, _path=None):
    name = None
    try:
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "register":
                name = message["peer_id"]
                names[name] = socket
                await socket.send(json.dumps({"type": "registered", "peer_id": name}, separators=(",", ":")))
                continue
            target = names.get(message.pop("target"))
            if target:
                await target.send(json.dumps({**message, "from": name}, separators=(",", ":")))
            else:
                await socket.send(json.dumps({"type": "error", "code": "peer-not-found"}, separators=(",", ":")))
    except websockets.ConnectionClosedError:
        pass
    finally:
        names.pop(name, None)


async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, compression=None, max_size=65536) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}\nready", file=sys.stderr, flush=True)
        await asyncio.Future()


asyncio.run(main())
