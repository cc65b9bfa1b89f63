#!/usr/bin/python3
"""peer-cli and a foreign client over wss, and relayed over TCP and TLS, on loopback, with the real server and certificates made on the spot.

usage: wss_test.py BIN_DIRECTORY [unittest arguments]
"""

import asyncio
import base64
import hashlib
import hmac
import json
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile
import unittest

import websockets

from cli_test import LIMIT, Peer, Server, WithServer, run
from certificate import certificate


class Secure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.own = certificate(cls.folder.name, "own")
        cls.other = certificate(cls.folder.name, "other")
        secret = pathlib.Path(cls.folder.name, "secret")
        secret.write_text("north")
        cls.server = Server("--tls-cert", cls.own[0], "--tls-key", cls.own[1], "--turn-secret-file", secret)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0
        cls.folder.cleanup()

    def test_two_peers_meet_over_wss(self):
        self.assertTrue(self.server.url.startswith("wss://127.0.0.1:"))
        ca = ["--tls-ca", self.own[0]]
        listener = Peer(self.server, *ca, "--id", "al", "listen")
        self.addCleanup(WithServer.end, listener)
        self.assertEqual(listener.wait_for("registered")["server"], self.server.url)
        connector = Peer(self.server, *ca, "connect", "al", stdin=subprocess.PIPE)
        status, _ = connector.finish(b"over wss")
        self.assertEqual(status, 0)
        status, out = listener.finish()
        self.assertEqual((status, out), (0, b"over wss"))

    def test_a_certificate_that_is_not_trusted_is_status_3_and_says_so(self):
        for arguments in (["--tls-ca", self.other[0]], []):  # another's, and the system's store
            with self.subTest(arguments):
                status, _, peer = run(self.server, *arguments, "gather")
                self.assertEqual(status, 3)
                self.assertEqual(peer.error()["code"], "signaling-unreachable")
                self.assertIn("certificate verify failed", peer.error()["message"])

    def test_a_certificate_for_another_host_is_status_3(self):
        files = certificate(self.folder.name, "elsewhere", "DNS:elsewhere.example")
        server = Server("--tls-cert", files[0], "--tls-key", files[1])
        self.addCleanup(server.close)
        status, _, peer = run(server, "--tls-ca", files[0], "gather")
        self.assertEqual(status, 3)
        self.assertIn("certificate verify failed", peer.error()["message"])
        status, _, _ = run(server, "--tls-insecure", "gather")
        self.assertEqual(status, 0)

    def test_ws_to_a_port_that_speaks_tls_is_status_3(self):
        status, _, peer = run(self.server.url.replace("wss:", "ws:"), "gather")
        self.assertEqual((status, peer.error()["code"]), (3, "signaling-unreachable"))

    def test_a_ca_file_that_is_not_there_is_status_2_one_that_holds_nothing_3(self):
        status, _, _ = run(self.server, "--tls-ca", "/nonexistent", "gather")
        self.assertEqual(status, 2)
        status, _, peer = run(self.server, "--tls-ca", "/dev/null", "gather")
        self.assertEqual(status, 3)
        self.assertIn("/dev/null", peer.error()["message"])

    def relay_urls(self):
        stun, wss = self.server.addresses["stun"][0], self.server.url.removeprefix("wss://")
        return f"turn:{stun}?transport=tcp", f"turns:{stun}?transport=tcp", f"turns:{wss}?transport=tcp"

    def test_stun_over_tcp_and_tls_on_both_ports(self):
        for url in self.relay_urls():
            with self.subTest(url):
                status, out, _ = run(self.server, "--tls-ca", self.own[0], "stun", url)
                self.assertEqual(status, 0)
                self.assertEqual(json.loads(out)["mapped"]["address"], "127.0.0.1")
        status, _, _ = run(self.server, "--tls-ca", self.other[0], "stun", self.relay_urls()[2])
        self.assertEqual(status, 3)

    def test_peers_relayed_over_tcp_and_tls_on_both_ports(self):
        name = "4000000000:anyone"  # by the TURN REST convention
        credential = pathlib.Path(self.folder.name, "credential")
        credential.write_bytes(base64.b64encode(hmac.digest(b"north", name.encode(), hashlib.sha1)))
        for number, url in enumerate(self.relay_urls()):
            with self.subTest(url):
                options = ["--tls-ca", self.own[0], "--ice-server", url, "--ice-username", name,
                           "--ice-credential-file", credential, "--policy", "relay"]
                listener = Peer(self.server, *options, "--id", f"relayed-{number}", "listen")
                self.addCleanup(WithServer.end, listener)
                listener.wait_for("registered")
                status, out, peer = run(self.server, *options, "check", f"relayed-{number}", "--expect", "relay")
                self.assertEqual(status, 0, peer.events)
                self.assertEqual(json.loads(out.splitlines()[-1])["outcome"], "relay")

    def test_a_foreign_client_lives_through_a_change_of_certificate(self):
        live = [shutil.copy(old, pathlib.Path(self.folder.name, "live" + old.suffix)) for old in self.own]
        server = Server("--tls-cert", live[0], "--tls-key", live[1])
        self.addCleanup(server.close)
        asyncio.run(asyncio.wait_for(self.change(server, live), LIMIT))

    async def change(self, server, live):
        before, after = (ssl.create_default_context(cafile=files[0]) for files in (self.own, self.other))
        async with websockets.connect(server.url, ssl=before) as al:
            await al.send(json.dumps({"type": "register", "peer_id": "al"}))
            self.assertEqual(json.loads(await al.recv())["type"], "registered")
            for new, file in zip(self.other, live):
                shutil.copy(new, file)
            server.process.send_signal(signal.SIGHUP)
            server.says(" reloaded\n")
            with self.assertRaises(ssl.SSLCertVerificationError):
                await websockets.connect(server.url, ssl=before)
            async with websockets.connect(server.url, ssl=after) as bob:
                await bob.send(json.dumps({"type": "register", "peer_id": "bob"}))
                await bob.recv()
                await bob.send(json.dumps({"type": "offer", "target": "al", "sdp": "☎"}))
                self.assertEqual(json.loads(await al.recv()), {"type": "offer", "from": "bob", "sdp": "☎"})


if __name__ == "__main__":
    unittest.main()
