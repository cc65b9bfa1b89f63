"""coturn's test client against the relay of signaling-server, over UDP: every kind of allocation and of
data that it knows, to an echo (coturn's turnutils_peer) and from relay to relay."""

import asyncio
import json
import re

import harness

harness.require(modules=["websockets"], programs=["ip", "turnutils_uclient", "turnutils_peer"],
                ours=["signaling-server"])

import websockets  # noqa: E402

ECHO = ["-e", harness.HOST, "-r", "3480"]
ECHO6 = ["-e", harness.HOST6, "-r", "3480"]
BY_SECRET = ["-W", harness.SECRET]
# Without -c, an allocation with EVEN-PORT for RTP and one with its RESERVATION-TOKEN for RTCP.
CASES = {
    "by channels, in pairs": [*ECHO, harness.HOST],
    "by channels": ["-c", *ECHO, harness.HOST],
    "by indications, in pairs": ["-s", *ECHO, harness.HOST],
    "by indications, not to be fragmented": ["-s", "-c", "-g", *ECHO, harness.HOST],
    "padded": ["-D", "-c", *ECHO, harness.HOST],
    "with requests that change nothing": ["-G", *ECHO, harness.HOST],
    "eight clients, large": ["-m", "8", "-l", "1100", *ECHO, harness.HOST],
    "from client to client, in pairs": ["-y", harness.HOST],
    "from client to client": ["-y", "-c", "-m", "4", harness.HOST],
    "IPv6": ["-x", *ECHO6, harness.HOST6],
    "an IPv6 relay by IPv4": ["-x", *ECHO6, harness.HOST],
    "an IPv4 relay by IPv6": ["-X", *ECHO, harness.HOST6],
}


class Uclient(harness.TestCase):
    async def asyncSetUp(self):
        self.server = await harness.start_relay(self, "--threads", "3")
        await self.launch("turnutils_peer", "-L", harness.HOST, "-L", harness.HOST6, "-p", "3480")

    async def run_client(self, name, *options):
        """Its exit status and what it said."""
        client = await self.launch("turnutils_uclient", "-u", name, "-n", "20", "-z", "5", *options)
        output, errors = await asyncio.gather(client.stdout.read(), client.stderr.read())
        return await client.wait(), (output + errors).decode(errors="replace")

    async def carry(self, name, *options):
        status, said = await self.run_client(name, *options)
        self.assertEqual(status, 0, said)
        sent, back = map(int, re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", said)[-1])
        self.assertEqual(back, sent, said)
        self.assertGreaterEqual(sent, 20)

    async def test_everything(self):
        """All at once, each a user of its own."""
        await asyncio.gather(*(self.carry(f"user-{number}", *BY_SECRET, *options)
                               for number, options in enumerate(CASES.values())))

    async def test_with_the_credentials_that_peers_are_given(self):
        async with websockets.connect(self.server.url) as peer:
            await peer.send(json.dumps({"type": "register", "peer_id": "quiet-otter"}))
            registered = json.loads(await peer.recv())
        relay = next(one for one in registered["ice_servers"] if "credential" in one)
        self.assertTrue(relay["username"].endswith(":quiet-otter"), relay["username"])
        await self.carry(relay["username"], "-w", relay["credential"], "-c", *ECHO, harness.HOST)

    async def test_refused(self):
        status, said = await self.run_client("mallory", "-W", "another secret", "-c", *ECHO, harness.HOST)
        self.assertNotEqual(status, 0, said)
        self.assertIn("Cannot complete Allocation", said)
        # A private address that --relay-allow does not name.
        status, said = await self.run_client("mallory", *BY_SECRET, "-c", "-e", "10.77.0.9", harness.HOST)
        self.assertNotEqual(status, 0, said)
        self.assertIn("403 (Forbidden)", said)


harness.main()
