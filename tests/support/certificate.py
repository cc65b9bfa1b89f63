"""A certificate of a test's own."""

import pathlib
import subprocess


def certificate(folder, name, alternative="IP:127.0.0.1"):
    """Self-signed; (certificate, key)."""
    files = pathlib.Path(folder, name + ".pem"), pathlib.Path(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=" + alternative,
                    "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files
