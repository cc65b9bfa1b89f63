"""An issuer of signed tokens (JWT)."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time


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
