"""coturn's test client against the relay of signaling-server, over UDP, TCP and TLS: every kind of allocation
and of data that it knows, to an echo (coturn's turnutils_peer) and from relay to relay."""

import asyncio
import json
import re
import subprocess
import tempfile
import urllib.request

import harness

harness.require(modules=["websockets"], programs=["ip", "openssl", "turnutils_uclient", "turnutils_peer"],
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


TCP, TLS, TLS_BESIDE_WSS = ["-t"], ["-t", "-S", "-p", "3478"], ["-t", "-S", "-p", "8443"]
BY_STREAM = {
    "over TCP, in pairs": [*TCP, *ECHO, harness.HOST],
    "over TCP, by indications": [*TCP, "-s", "-c", *ECHO, harness.HOST],
    "over TCP, eight clients, large": [*TCP, "-c", "-m", "8", "-l", "1101", *ECHO, harness.HOST],
    "over TCP, from client to client": [*TCP, "-y", "-c", "-m", "4", harness.HOST],
    "over TCP, IPv6": [*TCP, "-x", *ECHO6, harness.HOST6],
    "over TLS on TCP's port": [*TLS, *ECHO, harness.HOST],
    "over TLS on the port of wss": [*TLS_BESIDE_WSS, *ECHO, harness.HOST],
    "over TLS on the port of wss, eight clients, large": [*TLS_BESIDE_WSS, "-c", "-m", "8", "-l", "1101", *ECHO,
                                                          harness.HOST],
}


class Client(harness.TestCase):
    async def start(self, *options):
        self.server = await harness.start_relay(self, "--threads", "3", *options)
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
        if "-S" in options:
            self.assertGreater(back, sent // 2, said)  # it takes a TLS record for one message
        else:
            self.assertEqual(back, sent, said)
        self.assertGreaterEqual(sent, 20)
        return sent


class OverUdp(Client):
    async def asyncSetUp(self):
        await self.start()

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


class OverStreams(Client):
    async def asyncSetUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="interop-tls-"))
        certificate, key = folder + "/certificate.pem", folder + "/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=test", "-addext", "subjectAltName=IP:" + harness.HOST, "-out", certificate,
                        "-keyout", key], check=True, capture_output=True)
        await self.start("--listen", harness.HOST + ":8443", "--tls-cert", certificate, "--tls-key", key)

    async def test_everything(self):
        """All at once, each a user of its own."""
        sent = await asyncio.gather(*(self.carry(f"user-{number}", *BY_SECRET, *options)
                                      for number, options in enumerate(BY_STREAM.values())))
        with urllib.request.urlopen("http://127.0.0.1:9090/metrics") as answer:
            metrics = answer.read().decode()
        for way in ("peer", "client"):
            self.assertIn(f'signaling_relay_packets_total{{to="{way}"}} {sum(sent)}\n', metrics)
        self.assertIn("signaling_stun_stream_messages_dropped_total 0\n", metrics)


harness.main()
