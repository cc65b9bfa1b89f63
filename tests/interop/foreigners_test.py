"""Chromium and aiortc connect to each other through our signaling server: whatever fails between
one of them and peer-cli, but not here, is peer-cli's."""

import harness

harness.require(modules=["aiortc", "websockets"], programs=["ip", "chromium"],
                ours=["signaling-server"])

from chromium import Chromium  # noqa: E402
from peers import AiortcPeer, BrowserPeer  # noqa: E402


class Foreigners(harness.TestCase):
    async def meet(self, browser_offers):
        server = await harness.Server(self).start()
        browser = await self.enterAsyncContext(Chromium(mdns=False))
        page = BrowserPeer(browser, server.url, "page")
        python = AiortcPeer(server.url, "python")
        registered = await page.register()
        self.assertEqual(registered["peer_id"], "page")
        await python.register()
        self.addAsyncCleanup(python.close)
        offerer, answerer = (page, python) if browser_offers else (python, page)
        accepting = self.keep(answerer.accept())
        await offerer.offer(answerer.name)
        self.assertEqual(await accepting, "pipe")
        for sender, receiver in ((page, python), (python, page)):
            await sender.send_text("from " + sender.name)
            await sender.finish()
            await receiver.finished()
            self.assertEqual(await receiver.text(), "from " + sender.name)

    async def test_chromium_offers(self):
        await self.meet(browser_offers=True)

    async def test_aiortc_offers(self):
        await self.meet(browser_offers=False)


harness.main()
