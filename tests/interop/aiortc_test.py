"""aiortc's RTCPeerConnection against peer-cli, through our signaling server, both ways round."""

import harness

harness.require(modules=["aiortc", "websockets"], programs=["ip"],
                ours=["signaling-server", "peer-cli"])

from native import PipeCases  # noqa: E402
from peers import AiortcPeer  # noqa: E402


class Aiortc(PipeCases, harness.TestCase):
    SIZE = 1_000_000  # its SCTP is written in Python

    async def foreign(self, server, name):
        peer = AiortcPeer(server.url, name)
        await peer.register()
        self.addAsyncCleanup(peer.close)
        return peer


harness.main()
