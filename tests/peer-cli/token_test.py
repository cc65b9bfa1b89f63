#!/usr/bin/python3
"""peer-cli registers with signed tokens that an issuer of this file's own makes, on loopback.

usage: token_test.py BIN_DIRECTORY [unittest arguments]
"""

import subprocess
import tempfile
import unittest

from cli_test import Peer, Server, run
from issuer import Issuer


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.issuer = Issuer(cls.folder.name)
        cls.server = Server("--jwt-key", cls.issuer.secret_file, "--jwt-key", cls.issuer.public, "--jwt-audience",
                            "signal.test")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0
        cls.folder.cleanup()

    def test_two_peers_with_tokens_of_both_kinds_meet(self):
        listener = Peer(self.server, "--token-file", self.issuer.token("RS256", sub="al"), "--id", "al", "listen")
        self.addCleanup(listener.process.wait)
        self.addCleanup(listener.process.kill)
        listener.wait_for("registered")
        connector = Peer(self.server, "--token-file", self.issuer.token("HS256", sub=["bob-*"]), "--id", "bob-2",
                         "connect", "al", stdin=subprocess.PIPE)
        self.assertEqual(connector.finish(b"signed")[0], 0)
        self.assertEqual(listener.finish(), (0, b"signed"))

    def test_tokens_that_are_not_good_are_status_3_and_say_why(self):
        for why, arguments in (("expired", ["--token-file", self.issuer.token("HS256", -600, sub="al")]),
                               ("not for this name", ["--token-file", self.issuer.token("RS256", sub="bob")]),
                               ("not known", ["--token-file", self.issuer.token("RS256", sub="al", aud="else")]),
                               ("asks for a token", [])):
            with self.subTest(why):
                status, _, peer = run(self.server, *arguments, "--id", "al", "listen")
                self.assertEqual((status, peer.error()["code"]), (3, "unauthorized"))
                self.assertIn(why, peer.error()["message"])


if __name__ == "__main__":
    unittest.main()
