"""A page in headless Chromium against peer-cli, through our signaling server, both ways round: with
host addresses in the open, and with mDNS names in their place as users have it."""

import pathlib
import tempfile

import harness

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


class ChromiumByRelay(harness.TestCase):
    """Both ends may use a relay and nothing else: a coturn that the signaling server announces, with
    the credentials that it mints."""

    SECRET = "known to the signaling server and to coturn"

    async def meet(self, they_offer):
        await harness.start_coturn(self, "--use-auth-secret",
                                   f"--static-auth-secret={self.SECRET}")
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="interop-relay-"))
        secret = pathlib.Path(folder) / "secret"
        secret.write_text(self.SECRET, encoding="utf-8")
        server = await harness.Server(self).start(
            "--no-stun", "--turn-secret-file", secret,
            "--ice-server", f"turn:{harness.HOST}:3478?transport=udp")
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
        native.write(b"by relay")
        await page.send_text("and back")
        native.finish()
        await page.finish()
        await page.finished()
        self.assertEqual(await page.text(), "by relay")
        self.assertEqual(await native.read(), b"and back")
        self.assertEqual(await native.status(), 0, native.process.seen)

    async def test_they_offer(self):
        await self.meet(they_offer=True)

    async def test_we_offer(self):
        await self.meet(they_offer=False)


harness.main()
