"""Foreign peers behind one interface: they register, offer or accept, and carry a pipe.

    await peer.register()
    await peer.offer("name")  or  await peer.accept()       a data channel is open afterwards
    await peer.send_text("…")  await peer.send_pattern(size)  await peer.finish()
    await peer.finished()      the other direction has ended
    await peer.text()          await peer.summary()          what came: (size, Adler-32)
"""

import asyncio
import json
import pathlib
import zlib

CHUNK = 16_384
PERIOD = 65_521


def pattern(size):
    """Bytes that no shift by less than PERIOD leaves alone."""
    block = bytes((i * i * 31 + i * 7) & 255 for i in range(min(size, PERIOD)))
    return (block * (size // PERIOD + 1))[:size]


def summary(data):
    return len(data), zlib.adler32(data)


class BrowserPeer:
    """A page in Chromium."""

    def __init__(self, browser, server, name):
        self._browser = browser
        self._server = server
        self.name = name

    async def _call(self, what):
        return await self._browser.run(f"rendezvous.{what}")

    async def register(self):
        source = pathlib.Path(__file__).with_name("page.js").read_text(encoding="utf-8")
        arguments = f"{json.dumps(self._server)}, {json.dumps(self.name)}"
        await self._browser.run(f"{source}; globalThis.Rendezvous = Rendezvous;"
                                f"globalThis.rendezvous = new Rendezvous({arguments}); 0")
        return await self._call("register()")

    async def use_relays_only(self):
        await self._call("useRelaysOnly()")

    async def offer(self, target, **options):
        await self._call(f"offer({json.dumps(target)}, {json.dumps(options)})")

    async def accept(self):
        return await self._call("accept()")

    async def send_text(self, text):
        await self._call(f"sendText({json.dumps(text)})")

    async def send_pattern(self, size):
        await self._call(f"sendPattern({size}, {CHUNK})")

    async def finish(self):
        await self._call("finish()")

    async def finished(self):
        await self._call("finished")

    async def gone(self):
        await self._call("gone")

    async def heard(self, size):
        await self._call(f"heard({size})")

    async def text(self):
        return await self._call("text()")

    async def summary(self):
        answer = await self._call("summary()")
        return answer["size"], answer["adler32"]

    async def path(self):
        return await self._call("path()")

    async def local_sdp(self):
        return await self._call("connection.localDescription.sdp")

    async def close(self):
        await self._call("close()")


class AiortcPeer:
    """aiortc, which neither trickles nor paces: all its candidates stand in its description."""

    def __init__(self, server, name):
        self._server = server
        self.name = name
        self._offers = asyncio.Queue()
        self._received = bytearray()
        self._finished = asyncio.Event()
        self._gone = asyncio.Event()
        self._early = []
        self._connection = None
        self.echoes = False  # sends back what it gets

    async def register(self):
        import websockets
        self._socket = await websockets.connect(self._server)
        await self._tell(type="register", peer_id=self.name)
        registered = json.loads(await self._socket.recv())
        assert registered["type"] == "registered", registered
        self._reader = asyncio.ensure_future(self._read())
        return registered

    async def _tell(self, **message):
        await self._socket.send(json.dumps({k: v for k, v in message.items() if v is not None}))

    async def _read(self):
        from aiortc import RTCSessionDescription
        async for line in self._socket:
            message = json.loads(line)
            if message["type"] == "offer":
                self._offers.put_nowait(message)
            elif message["type"] == "answer":
                await self._connection.setRemoteDescription(
                    RTCSessionDescription(message["sdp"], "answer"))
                await self._add_early()
            elif message["type"] == "candidate":
                self._early.append(message["candidate"])
                if self._connection and self._connection.remoteDescription:
                    await self._add_early()

    async def _add_early(self):
        from aiortc.sdp import candidate_from_sdp
        while self._early:
            init = self._early.pop(0)
            if not init or not init["candidate"]:
                continue  # aiortc 1.4 has no word for their end
            candidate = candidate_from_sdp(init["candidate"].removeprefix("candidate:"))
            candidate.sdpMid = init.get("sdpMid")
            candidate.sdpMLineIndex = init.get("sdpMLineIndex")
            await self._connection.addIceCandidate(candidate)

    def _open(self):
        from aiortc import RTCConfiguration, RTCPeerConnection
        self._connection = RTCPeerConnection(RTCConfiguration([]))

    def _use(self, channel):
        self._channel = channel
        opened = asyncio.Event()
        channel.on("open", lambda: opened.set())
        channel.on("close", lambda: self._gone.set())
        channel.on("message", self._take)
        if channel.readyState == "open":
            opened.set()
        return opened

    def _take(self, message):
        if self.echoes:
            self._channel.send(message)
        elif isinstance(message, str):
            self._received += message.encode()
        elif message:
            self._received += message
        else:
            self._finished.set()

    async def offer(self, target, **options):
        self._open()
        opened = self._use(self._connection.createDataChannel("pipe", **options))
        await self._connection.setLocalDescription(await self._connection.createOffer())
        await self._tell(type="offer", target=target, sdp=self._connection.localDescription.sdp)
        await opened.wait()

    async def accept(self):
        from aiortc import RTCSessionDescription
        offer = await self._offers.get()
        self._open()
        arrived = asyncio.get_running_loop().create_future()
        self._connection.on("datachannel", lambda channel: arrived.set_result(self._use(channel)))
        await self._connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await self._add_early()
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        await self._tell(type="answer", target=offer["from"], session=offer.get("session"),
                         sdp=self._connection.localDescription.sdp)
        await (await arrived).wait()
        return self._channel.label

    async def send_text(self, text):
        self._channel.send(text)
        await self._drain()

    async def _drain(self):
        # aiortc tells of a low buffer by an event; the threshold is the next message.
        if self._channel.bufferedAmount > (1 << 20):
            low = asyncio.Event()
            self._channel.bufferedAmountLowThreshold = 1 << 18
            self._channel.once("bufferedamountlow", lambda *_: low.set())
            await low.wait()

    async def send_pattern(self, size):
        data = pattern(size)
        for at in range(0, size, CHUNK):
            self._channel.send(data[at:at + CHUNK])
            await self._drain()

    async def finish(self):
        self._channel.send(b"")

    async def finished(self):
        await self._finished.wait()

    async def gone(self):
        await self._gone.wait()

    async def text(self):
        return self._received.decode()

    async def summary(self):
        return summary(bytes(self._received))

    async def close(self):
        if self._connection:
            await self._connection.close()
        self._reader.cancel()
        await self._socket.close()
