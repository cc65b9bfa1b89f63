"""aioice against our ICE agent: both roles, trickled and not, two agents that claim one role."""

import asyncio

import harness

harness.require(modules=["aioice"], programs=["ip"], ours=["ice_peer", "signaling-server"])

import aioice  # noqa: E402
import aioice.ice  # noqa: E402


class Aioice(harness.TestCase):
    async def connect(self, our_role, their_role, addresses=(harness.HOST, harness.HOST6),
                      trickle=False, **options):
        """Connects both, sends a text each way, and returns what we said of the connection."""
        ours = await self.launch(harness.BIN / "ice_peer", our_role, *addresses)
        local = await ours.event("local")
        theirs = aioice.Connection(ice_controlling=their_role == "controlling", **options)
        self.addAsyncCleanup(theirs.close)
        theirs.remote_username = local["ufrag"]
        theirs.remote_password = local["password"]
        await theirs.gather_candidates()

        async def add_ours():
            for line in local["candidates"]:
                await theirs.add_remote_candidate(
                    aioice.Candidate.from_sdp(line.removeprefix("candidate:")))
            await theirs.add_remote_candidate(None)

        if trickle:
            connecting = asyncio.ensure_future(theirs.connect())
            ours.tell(do="remote", ufrag=theirs.local_username, password=theirs.local_password)
            await add_ours()
        else:
            await add_ours()
            ours.tell(do="remote", ufrag=theirs.local_username, password=theirs.local_password)
            connecting = asyncio.ensure_future(theirs.connect())
        for candidate in theirs.local_candidates:
            ours.tell(do="candidate", candidate="candidate:" + candidate.to_sdp())
        ours.tell(do="end")

        connected = await ours.event("connected")
        await connecting
        ours.tell(do="send", text="from us")
        self.assertEqual(await theirs.recv(), b"from us")
        await theirs.send(b"from them")
        self.assertEqual((await ours.event("received"))["text"], "from them")
        return connected

    async def test_we_control(self):
        connected = await self.connect("controlling", "controlled")
        self.assertEqual(connected["role"], "controlling")

    async def test_they_control(self):
        connected = await self.connect("controlled", "controlling")
        self.assertEqual(connected["role"], "controlled")

    async def test_trickled(self):
        await self.connect("controlling", "controlled", trickle=True)
        await self.connect("controlled", "controlling", trickle=True)

    async def test_both_claim_to_control(self):
        connected = await self.connect("controlling", "controlling")
        self.assertIn(connected["role"], ("controlling", "controlled"))

    async def test_both_claim_to_be_controlled(self):
        await self.connect("controlled", "controlled")

    async def test_ipv4_alone(self):
        connected = await self.connect("controlling", "controlled", addresses=[harness.HOST])
        self.assertTrue(connected["remote"].startswith(harness.HOST + ":"))

    async def test_a_dead_interface_beside_the_good_one(self):
        # 127.0.0.1 reaches none of their candidates: aioice has none on loopback.
        await self.connect("controlling", "controlled", addresses=["127.0.0.1", harness.HOST])

    async def test_by_our_relay(self):
        await harness.start_relay(self)
        user, password = harness.relay_credentials()
        for our_role, their_role in (("controlling", "controlled"), ("controlled", "controlling")):
            # Without sockets of its own in our family: aioice 0.8 checks from them whatever its
            # transport policy says.
            connected = await self.connect(
                our_role, their_role, addresses=[harness.HOST], use_ipv4=False,
                turn_server=(harness.HOST, 3478), turn_username=user, turn_password=password)
            self.assertIn(int(connected["remote"].rpartition(":")[2]), harness.RELAY_PORTS)


harness.main()
