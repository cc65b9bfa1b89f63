"""STUN with foreign ends: peer-cli asks coturn; coturn's client and aioice ask signaling-server."""

import json

import harness

harness.require(modules=["aioice"], programs=["ip", "turnserver", "turnutils_stunclient"],
                ours=["signaling-server", "peer-cli"])

import aioice  # noqa: E402


class Coturn(harness.TestCase):
    async def asyncSetUp(self):
        await harness.start_coturn(self, "--no-auth")

    async def ask(self, *command):
        # coturn asks nobody here, but a turn: URL is not taken without credentials.
        asked = await self.launch(harness.BIN / "peer-cli", "--json", "--ice-username", "anybody",
                                  *command, env={"PEER_ICE_CREDENTIAL": "anything"})
        lines = [json.loads(line) for line in (await asked.stdout.read()).splitlines()]
        self.assertEqual(await asked.wait(), 0, (await asked.stderr.read()).decode())
        return lines

    async def test_over_udp(self):
        lines = await self.ask("stun", f"stun:{harness.HOST}:3478")
        answer = next(line for line in lines if line["event"] == "stun")
        self.assertEqual(answer["mapped"]["address"], harness.HOST)
        self.assertEqual(answer["mapped"]["port"], answer["local"]["port"])
        self.assertIn("Coturn", answer["software"])

    async def test_over_tcp(self):
        lines = await self.ask("stun", f"turn:{harness.HOST}:3478?transport=tcp")
        answer = next(line for line in lines if line["event"] == "stun")
        self.assertEqual(answer["mapped"]["address"], harness.HOST)


class OurServer(harness.TestCase):
    async def test_coturn_client(self):
        await harness.Server(self).start()
        for address in ("127.0.0.1", harness.HOST):
            client = await self.launch("turnutils_stunclient", address)
            output = (await client.stdout.read()).decode()
            self.assertIn(f"UDP reflexive addr: {address}:", output)

    async def test_aioice_gathers(self):
        await harness.Server(self).start()
        connection = aioice.Connection(ice_controlling=True, stun_server=(harness.HOST, 3478))
        self.addAsyncCleanup(connection.close)
        await connection.gather_candidates()
        found = [c for c in connection.local_candidates if c.type == "srflx"]
        self.assertEqual([c.host for c in found], [harness.HOST])
        self.assertEqual((found[0].related_address, found[0].related_port),
                         (found[0].host, found[0].port))


harness.main()
