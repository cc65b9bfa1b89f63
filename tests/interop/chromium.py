"""Headless Chromium, driven over the DevTools protocol's pipe: one browser, one blank page."""

import asyncio
import json
import os
import shutil
import signal
import tempfile

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-extensions", "--mute-audio", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-pipe",
]


class PageError(Exception):
    """A script in the page threw, or its promise was rejected."""


class Chromium:
    """async with Chromium(mdns=True) as browser: await browser.run("1 + 1")"""

    def __init__(self, mdns=True):
        self.mdns = mdns
        self._next_id = 0
        self._waiting = {}
        self.log = []

    async def __aenter__(self):
        self._profile = tempfile.mkdtemp(prefix="interop-chromium-")
        to_browser, ours_out = os.pipe()
        ours_in, from_browser = os.pipe()
        flags = FLAGS + [f"--user-data-dir={self._profile}"]
        if not self.mdns:
            flags.append("--disable-features=WebRtcHideLocalIpsWithMdns")
        # Chromium reads descriptor 3 and writes descriptor 4.
        plumbing = f"exec chromium \"$@\" 3<&{to_browser} 4>&{from_browser}"
        self._process = await asyncio.create_subprocess_exec(
            "bash", "-c", plumbing, "chromium", *flags, "about:blank",
            pass_fds=(to_browser, from_browser), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=1 << 26)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader),
                                     os.fdopen(ours_in, "rb", 0))
        self._writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol,
                                                        os.fdopen(ours_out, "wb", 0))
        self._pump = asyncio.create_task(self._read())
        pages = []
        while not pages:  # it answers before it has opened its first
            targets = await self._call("Target.getTargets")
            pages = [t["targetId"] for t in targets["targetInfos"] if t["type"] == "page"]
        attached = await self._call("Target.attachToTarget", targetId=pages[0], flatten=True)
        self._session = attached["sessionId"]
        await self._call("Runtime.enable", self._session)
        return self

    async def __aexit__(self, *_):
        self._pump.cancel()
        self._writer.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    async def run(self, script):
        """The value of `script`, awaited if it is a promise."""
        answer = await self._call("Runtime.evaluate", self._session, expression=script,
                                  awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    async def _call(self, method, session=None, **params):
        self._next_id += 1
        message = {"id": self._next_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        future = self._waiting[self._next_id] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(message).encode() + b"\0")
        return await future

    async def _read(self):
        try:
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                if "id" in message:
                    waiting = self._waiting.pop(message["id"])
                    if waiting.cancelled():
                        continue
                    if "error" in message:
                        waiting.set_exception(PageError(message["error"]["message"]))
                    else:
                        waiting.set_result(message["result"])
                elif message["method"] == "Runtime.consoleAPICalled":
                    self.log.append(" ".join(str(a.get("value", a.get("description")))
                                             for a in message["params"]["args"]))
        except asyncio.IncompleteReadError:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(PageError("the browser ended"))
