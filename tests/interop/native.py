"""peer-cli as the other end, and the cases that every foreign peer goes through with it."""

import json

import harness
import peers


class Native:
    """A peer-cli process that carries a pipe; its events come on standard error."""

    def __init__(self, process):
        self.process = process
        self.events = []

    @classmethod
    async def start(cls, case, server, name, *command, timeout=20):
        process = await case.launch(harness.BIN / "peer-cli", "--server", server.url, "--id", name,
                                    "--json", "--timeout", str(timeout), *command)
        return cls(process)

    async def event(self, name):
        found = await self.process.event(name, self.process.stderr)
        self.events.append(found)
        return found

    async def remote_host(self):
        """The first host candidate of theirs that we have an address for, told of or yet to be."""
        def wanted(event):
            return (event.get("event") == "candidate" and event["side"] == "remote"
                    and event["type"] == "host")
        for line in self.process.seen:
            if line.startswith("{") and wanted(json.loads(line)):
                return json.loads(line)
        async for event in self.process.events(self.process.stderr):
            if wanted(event):
                return event
        raise AssertionError("no host candidate of theirs:\n" + "\n".join(self.process.seen))

    def write(self, data):
        self.process.stdin.write(data)

    def finish(self):
        self.process.stdin.close()

    async def read(self):
        return await self.process.stdout.read()

    async def status(self):
        """The exit status, and every line it said meanwhile for the report of a failure."""
        async for _ in self.process.events(self.process.stderr):
            pass
        return await self.process.wait()


class PipeCases:
    """Mixed into a harness.TestCase that has foreign(server, name) -> peer, registered."""

    SIZE = 3_000_000

    async def meet(self, they_offer):
        """The server, peer-cli and the foreign peer with an open channel between them."""
        server = await harness.Server(self).start()
        if they_offer:
            native = await Native.start(self, server, "native", "listen")
            await native.event("registered")
            foreign = await self.foreign(server, "foreign")
            await foreign.offer("native")
        else:
            foreign = await self.foreign(server, "foreign")
            accepting = self.keep(foreign.accept())
            native = await Native.start(self, server, "native", "connect", "foreign")
            self.assertEqual(await accepting, "pipe")
        connected = await native.event("connected")
        self.assertEqual(connected["path"], "direct")
        return native, foreign

    async def end_both(self, native, foreign):
        native.finish()
        await foreign.finish()
        await foreign.finished()

    async def exchange_text(self, they_offer):
        native, foreign = await self.meet(they_offer)
        native.write(b"from peer-cli")
        await foreign.send_text("from a foreigner: \u00fc")
        await self.end_both(native, foreign)
        self.assertEqual(await native.read(), "from a foreigner: \u00fc".encode())
        self.assertEqual(await foreign.text(), "from peer-cli")
        self.assertEqual(await native.status(), 0, native.process.seen)

    async def exchange_much(self, they_offer):
        """Both directions at once, each with its size and checksum."""
        native, foreign = await self.meet(they_offer)
        reading = self.keep(native.read())
        native.write(peers.pattern(self.SIZE))
        native.finish()
        await foreign.send_pattern(self.SIZE)
        await foreign.finish()
        await foreign.finished()
        expected = peers.summary(peers.pattern(self.SIZE))
        self.assertEqual(peers.summary(await reading), expected)
        self.assertEqual(await foreign.summary(), expected)
        self.assertEqual(await native.status(), 0, native.process.seen)

    async def test_they_offer(self):
        await self.exchange_text(they_offer=True)

    async def test_we_offer(self):
        await self.exchange_text(they_offer=False)

    async def test_much_when_they_offer(self):
        await self.exchange_much(they_offer=True)

    async def test_much_when_we_offer(self):
        await self.exchange_much(they_offer=False)

    async def test_half_close(self):
        """Our direction ends first; theirs goes on."""
        native, foreign = await self.meet(they_offer=True)
        native.write(b"first")
        native.finish()
        await foreign.finished()
        self.assertEqual(await foreign.text(), "first")
        await foreign.send_text("second")
        await foreign.finish()
        self.assertEqual(await native.read(), b"second")
        self.assertEqual(await native.status(), 0, native.process.seen)

    async def ask_in_vain(self, *command):
        """They take the channel and answer nothing on it: 4, and a sentence that says what is missing."""
        server = await harness.Server(self).start()
        foreign = await self.foreign(server, "foreign")
        accepting = self.keep(foreign.accept())
        native = await Native.start(self, server, "native", "--json-fd", "2", *command, timeout=15)
        self.assertEqual(await accepting, command[0])
        error = await native.event("error")
        self.assertEqual((error["code"], error["status"]), ("no-answer", 4))
        self.assertIn("peer-cli listen", error["message"])
        self.assertEqual(await native.status(), 4, native.process.seen)

    async def test_a_ping_that_they_do_not_answer(self):
        await self.ask_in_vain("ping", "foreign", "-c", "2", "-i", "0.1")

    async def test_a_bench_that_they_do_not_answer(self):
        await self.ask_in_vain("bench", "foreign")

    async def test_a_question_about_their_nat_that_they_do_not_answer(self):
        await self.ask_in_vain("nat", "--with", "foreign")

    async def test_they_leave_midway(self):
        native, foreign = await self.meet(they_offer=True)
        await foreign.send_text("half a sen")
        self.assertEqual(await native.process.stdout.readexactly(10), b"half a sen")
        await foreign.close()
        # CLI.md: the path was lost after it had worked.
        self.assertEqual(await native.status(), 7, native.process.seen)
