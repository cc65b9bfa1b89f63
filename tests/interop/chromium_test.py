"""A page in headless Chromium against peer-cli, through our signaling server, both ways round: with
host addresses in the open, and with mDNS names in their place as users have it."""

import harness
import peers

harness.require(modules=["websockets"], programs=["ip", "chromium", "turnserver"],
                ours=["signaling-server", "peer-cli"])

from chromium import Chromium  # noqa: E402
from native import Native, PipeCases  # noqa: E402
from peers import BrowserPeer  # noqa: E402


class Page(PipeCases):
    mdns = False

    async def foreign(self, server, name):
        self.browser = await self.enterAsyncContext(Chromium(mdns=self.mdns))
        page = BrowserPeer(self.browser, server.url, name)
        await page.register()
        return page

    async def test_unordered_channel(self):
        """One without order or retransmission carries what fits one message, but is no pipe."""
        server = await harness.Server(self).start()
        native = await Native.start(self, server, "native", "listen", "--keep")
        await native.event("registered")
        page = await self.foreign(server, "foreign")
        # The channel of a check is echoed, whatever its kind.
        await page.offer("native", label="check", ordered=False, maxRetransmits=0)
        await page.send_text("over it and back")
        await page.heard(16)
        self.assertEqual(await page.text(), "over it and back")
        await page.close()
        second = await self.foreign(server, "second")
        await second.offer("native", ordered=False, maxRetransmits=0)
        await second.gone()


class ChromiumInTheOpen(Page, harness.TestCase):
    pass


class ChromiumBehindNames(Page, harness.TestCase):
    mdns = True

    async def test_names_are_resolved(self):
        """By multicast, not only found out by what comes from them."""
        native, page = await self.meet(they_offer=True)
        self.assertIn(".local ", await page.local_sdp())
        self.assertNotIn(harness.HOST, await page.local_sdp())
        self.assertIn((await native.remote_host())["address"], (harness.HOST, "fd77::1"))
        await self.end_both(native, page)
        self.assertEqual(await native.status(), 0, native.process.seen)


class ByRelay:
    """Both ends may use a relay and nothing else: the one that the signaling server announces, with
    the credentials that it mints."""

    SIZE = 1_000_000

    async def meet(self, they_offer):
        server = await self.relay()
        page = BrowserPeer(await self.enterAsyncContext(Chromium()), server.url, "foreign")
        await page.register()
        await page.use_relays_only()
        if they_offer:
            native = await Native.start(self, server, "native", "--policy", "relay", "listen")
            await native.event("registered")
            await page.offer("native")
        else:
            accepting = self.keep(page.accept())
            native = await Native.start(self, server, "native", "--policy", "relay", "connect",
                                        "foreign")
            await accepting
        self.assertEqual((await native.event("connected"))["path"], "relay")
        self.assertEqual((await page.path())["local"], "relay")
        reading = self.keep(native.read())
        native.write(peers.pattern(self.SIZE))
        native.finish()
        await page.send_pattern(self.SIZE)
        await page.finish()
        await page.finished()
        expected = peers.summary(peers.pattern(self.SIZE))
        self.assertEqual(peers.summary(await reading), expected)
        self.assertEqual(await page.summary(), expected)
        self.assertEqual(await native.status(), 0, native.process.seen)

    async def test_they_offer(self):
        await self.meet(they_offer=True)

    async def test_we_offer(self):
        await self.meet(they_offer=False)


class ChromiumByCoturn(ByRelay, harness.TestCase):
    async def relay(self):
        await harness.start_coturn(self, "--use-auth-secret",
                                   f"--static-auth-secret={harness.SECRET}")
        return await harness.Server(self).start(
            "--no-stun", "--turn-secret-file", harness.secret_file(self),
            "--ice-server", f"turn:{harness.HOST}:3478?transport=udp")


class ChromiumByOurRelay(ByRelay, harness.TestCase):
    async def relay(self):
        # As it is: from one relayed address to the other, which needs no --relay-allow.
        return await harness.Server(self).start("--stun", f"{harness.HOST}:3478")


harness.main()
