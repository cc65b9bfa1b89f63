"""aiortc's RTCPeerConnection against peer-cli, through our signaling server, both ways round."""

import harness

harness.require(modules=["aiortc", "websockets"], programs=["ip"],
                ours=["signaling-server", "peer-cli"])

from native import Native, PipeCases  # noqa: E402
from peers import AiortcPeer  # noqa: E402


class Aiortc(PipeCases, harness.TestCase):
    SIZE = 1_000_000  # its SCTP is written in Python

    async def foreign(self, server, name):
        peer = AiortcPeer(server.url, name)
        await peer.register()
        self.addAsyncCleanup(peer.close)
        return peer

    async def test_a_ping_that_they_echo(self):
        server = await harness.Server(self).start()
        foreign = await self.foreign(server, "foreign")
        foreign.echoes = True
        accepting = self.keep(foreign.accept())
        native = await Native.start(self, server, "native", "--json-fd", "2", "ping", "foreign", "-c", "5", "-i", "0.05")
        self.assertEqual(await accepting, "ping")
        summary = await native.event("summary")
        self.assertEqual(await native.status(), 0, native.process.seen)
        self.assertEqual((summary["sent"], summary["direct"]), (5, summary["received"]))
        self.assertGreaterEqual(summary["received"], 4)  # the first may find nobody listening yet

    async def test_a_question_about_their_nat_that_they_echo(self):
        server = await harness.Server(self).start()
        foreign = await self.foreign(server, "foreign")
        foreign.echoes = True
        accepting = self.keep(foreign.accept())
        native = await Native.start(self, server, "native", "--json-fd", "2", "nat", "--with", "foreign")
        self.assertEqual(await accepting, "nat")
        error = await native.event("error")
        self.assertEqual(await native.status(), 4, native.process.seen)
        self.assertEqual(error["code"], "bad-nat-answer")


harness.main()
