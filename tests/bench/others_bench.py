#!/usr/bin/python3
"""The same work by others that Debian has, for comparison in the same run: aioice from start to connected,
aiortc to an open data channel and through it. Loopback, one process each.
"""

import asyncio
import json
import statistics
import time

try:
    import aioice
    import aiortc
except ImportError:
    print("python3-aioice and python3-aiortc are not installed: scripts/deps bench")
    raise SystemExit(77)


def report(name, value, unit):
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "target": None}), flush=True)


async def connect_ice():
    a, b = aioice.Connection(ice_controlling=True), aioice.Connection(ice_controlling=False)
    began = time.monotonic()
    for one in (a, b):
        await one.gather_candidates()
    for here, there in ((a, b), (b, a)):
        for candidate in there.local_candidates:
            await here.add_remote_candidate(candidate)
        await here.add_remote_candidate(None)
        here.remote_username, here.remote_password = there.local_username, there.local_password
    await asyncio.gather(a.connect(), b.connect())
    took = time.monotonic() - began
    await asyncio.gather(a.close(), b.close())
    return took * 1e3


async def open_channel(megabytes):
    a, b = aiortc.RTCPeerConnection(), aiortc.RTCPeerConnection()
    opened, done = asyncio.Event(), asyncio.Event()
    got = 0

    @b.on("datachannel")
    def _(channel):
        @channel.on("message")
        def _(message):
            nonlocal got
            got += len(message)
            if got >= megabytes << 20:
                done.set()

    began = time.monotonic()
    channel = a.createDataChannel("bench")
    channel.on("open", opened.set)
    await a.setLocalDescription(await a.createOffer())
    await b.setRemoteDescription(a.localDescription)
    await b.setLocalDescription(await b.createAnswer())
    await a.setRemoteDescription(b.localDescription)
    await opened.wait()
    open_ms = (time.monotonic() - began) * 1e3
    began = time.monotonic()
    for _ in range(megabytes * 16):
        channel.send(bytes(65_536))
        while channel.bufferedAmount > 1 << 20:
            await asyncio.sleep(0.001)
    await done.wait()
    speed = (megabytes << 20) / (time.monotonic() - began) / 1e6
    await asyncio.gather(a.close(), b.close())
    return open_ms, speed


async def main():
    report("aioice: start to connected, median of 5", statistics.median([await connect_ice() for _ in range(5)]), "ms")
    runs = [await open_channel(8) for _ in range(3)]
    report("aiortc: start to an open data channel, median of 3", statistics.median(r[0] for r in runs), "ms")
    report("aiortc: 64 KiB messages through it, best of 3", max(r[1] for r in runs), "MB/s")


asyncio.run(asyncio.wait_for(main(), 120))
