#!/usr/bin/python3
"""peer-cli registers with signed tokens that an issuer of this file's own makes, on loopback.

usage: token_test.py BIN_DIRECTORY [unittest arguments]
"""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

from cli_test import Peer, Server, run


def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


class Issuer:
    """Signs by HS256 and RS256 with keys of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.secret_file = self.folder / "secret"
        self.secret_file.write_text("a secret that both the issuer and the server know\n")
        self.private, self.public = self.folder / "rsa.key", self.folder / "rsa.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                        self.private], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public], check=True)

    def sign(self, algorithm, text):
        if algorithm == "HS256":
            return hmac.new(self.secret_file.read_bytes().rstrip(), text, hashlib.sha256).digest()
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private], input=text, check=True,
                              capture_output=True).stdout

    def token(self, algorithm, lasts=600, **claims):
        claims = {"aud": "signal.test", "exp": int(time.time()) + lasts, **claims}
        text = b".".join(encode(json.dumps(part).encode())
                         for part in ({"alg": algorithm, "typ": "JWT"}, claims))
        file = self.folder / f"token-{len(list(self.folder.iterdir()))}"
        file.write_bytes(text + b"." + encode(self.sign(algorithm, text)) + b"\n")
        return file


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
