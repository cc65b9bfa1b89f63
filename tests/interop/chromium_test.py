"""A page in headless Chromium against peer-cli, through our signaling server, both ways round: with
host addresses in the open, and with mDNS names in their place as users have it."""

import harness

harness.require(modules=["websockets"], programs=["ip", "chromium"],
                ours=["signaling-server", "peer-cli"])

from chromium import Chromium  # noqa: E402
from native import PipeCases  # noqa: E402
from peers import BrowserPeer  # noqa: E402


class Page(PipeCases):
    mdns = False

    async def foreign(self, server, name):
        self.browser = await self.enterAsyncContext(Chromium(mdns=self.mdns))
        page = BrowserPeer(self.browser, server.url, name)
        await page.register()
        return page

    async def test_unordered_channel(self):
        """A channel without order or retransmission still carries what fits one message."""
        server = await harness.Server(self).start()
        from native import Native
        native = await Native.start(self, server, "native", "listen")
        await native.event("registered")
        page = await self.foreign(server, "foreign")
        await page.offer("native", ordered=False, maxRetransmits=0)
        native.write(b"over an unordered channel")
        await page.send_text("back over it")
        # Loopback loses nothing; the reading is by size, since an end may overtake.
        self.assertEqual(await native.process.stdout.readexactly(12), b"back over it")
        await self.end_both(native, page)
        self.assertEqual(await native.status(), 0, native.process.seen)


class ChromiumInTheOpen(Page, harness.TestCase):
    pass


class ChromiumBehindNames(Page, harness.TestCase):
    mdns = True

    async def test_its_candidates_are_names(self):
        """Or else the cases above would not be about mDNS."""
        native, page = await self.meet(they_offer=True)
        self.assertIn(".local ", await page.local_sdp())
        await self.end_both(native, page)
        self.assertEqual(await native.status(), 0, native.process.seen)


harness.main()
