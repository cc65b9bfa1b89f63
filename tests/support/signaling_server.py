"""A signaling-server of a test's own, on free ports of 127.0.0.1.

Servers in the lab's namespaces and those of tests/interop, whose ports are fixed, are started there.
"""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

LIMIT = 60  # seconds that no step comes near; a hang ends the test, not the machine


def reserved_port():
    """A TCP port of 127.0.0.1 that refuses connections, and is nobody's but the programs' that are told of it: a bound
    socket that does not listen, which leaves the port to those who bind as this one did."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def address(bound):
    host, port = bound.getsockname()
    return f"{host}:{port}"


class Server:
    """The process, its folder, and what it is reached by. Ended at the latest by close(), or the end of `with`.

    Its standard error is the file `log`, or the descriptor `stderr`. Unless `wait` is False, it is ready.
    """

    def __init__(self, program, *options, wait=True, **how):
        self._scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._scratch.name)
        self.log, self.ready = self.folder / "log", self.folder / "ready.json"
        self._program, self._port = program, reserved_port()
        try:
            self.start(*options, wait=wait, **how)
        except BaseException:
            self.close()
            raise

    def start(self, *options, wait=True, stderr=None, environment=None, **how):
        """Again at the same address, where it was ended before; nobody else has taken that meanwhile."""
        self._addresses = None
        self.ready.unlink(missing_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self._program, "--listen", address(self._port), "--stun", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                 "--ready-file", self.ready, *options], stderr=log if stderr is None else stderr,
                env={**os.environ, **(environment or {})}, **how)
        if wait:
            _ = self.addresses  # which waits until it is ready

    def wait_for(self, what, holds):
        """Looks again and again whether it holds, while the server lives."""
        deadline = time.monotonic() + LIMIT
        while not holds():
            assert time.monotonic() < deadline, f"not in {LIMIT} s: {what}; {self.log.read_text()}"
            try:
                self.process.wait(0.002)
                raise AssertionError(f"the server ended before {what}: {self.log.read_text()}")
            except subprocess.TimeoutExpired:
                pass

    def says(self, text):
        self.wait_for(f"it said '{text}'", lambda: text in self.log.read_text())

    @property
    def addresses(self):
        if self._addresses is None:
            self.wait_for("it was ready", self.ready.exists)  # written whole, by a rename
            self._addresses = json.loads(self.ready.read_text())
        return self._addresses

    @property
    def url(self):
        return self.addresses["websocket"][0]

    def get(self, path):
        """The status and the text of an admin request."""
        try:
            with urllib.request.urlopen(f"http://{self.addresses['admin']}{path}", timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def ends(self):
        """Its exit status is 0, after what it was sent."""
        status = self.process.wait(LIMIT)
        assert status == 0, (status, self.log.read_text())

    def drain(self):
        """Tells everybody that it is going away, and goes; the exit status."""
        self.process.terminate()
        return self.process.wait(LIMIT)

    def kill(self):
        self.process.kill()
        self.process.wait(LIMIT)

    def close(self):
        """The exit status, where it goes by itself once it is told to."""
        try:
            if getattr(self, "process", None):
                return self.drain()
        finally:
            self._end()

    def _end(self):
        if getattr(self, "process", None):
            self.kill()
        self._port.close()
        self._scratch.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()
