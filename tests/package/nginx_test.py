#!/usr/bin/python3
"""Debian's nginx with the nginx.conf that is shipped, of which ports, certificate and upstream alone are
replaced, in front of a real signaling-server with the options that its comment names; on loopback.

usage: nginx_test.py BIN_DIRECTORY [unittest arguments]
"""

import asyncio
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/peer-cli"))
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
if NGINX is None:
    print("nginx is missing")
    sys.exit(77)

import websockets  # noqa: E402

from cli_test import LIMIT, Peer, Server, WithServer  # noqa: E402
from certificate import certificate  # noqa: E402
from websocket_client import join, say  # noqa: E402

SHIPPED = (ROOT / "signaling/deploy/nginx.conf").read_text()
# What the comment in it says the server is started with.
PROXY_OPTIONS = re.search(r"^#.*signaling-server .*?(--trusted-proxy \S+)", SHIPPED, re.M)[1].split()
NAME = "signal.example.net"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr notice;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def replaced(text, old, new):
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in nginx.conf"
    return text.replace(old, new)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Nginx:
    """In front of `server`; as nobody, where the test is root."""

    def __init__(self, server):
        self.upstream = server.addresses["websocket"][0].removeprefix("ws://")
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.own = certificate(self.folder, "own", f"DNS:{NAME},IP:127.0.0.1,IP:::1")
        self.other = certificate(self.folder, "other", f"DNS:{NAME},IP:127.0.0.1")
        self.install(self.own)
        (self.folder / "nginx.conf").write_text(MAIN.format(folder=self.folder))
        for _ in range(10):  # a free port may be another's a moment later
            if self.start():
                return
        raise AssertionError("nginx found no free port: " + self.said)

    def install(self, files):
        self.certificate = [self.folder / "live.pem", self.folder / "live.key"]
        for file, to in zip(files, self.certificate):
            shutil.copy(file, to)
        if os.geteuid() == 0:
            for path in (self.folder, *self.certificate):
                shutil.chown(path, "nobody", "nogroup")

    def site(self):
        text = replaced(SHIPPED, "listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;")
        text = replaced(text, "listen [::]:443 ssl;", f"listen [::1]:{self.port} ssl;" if has_ipv6() else "")
        text = replaced(text, f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(self.certificate[0]))
        text = replaced(text, f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(self.certificate[1]))
        return replaced(text, "proxy_pass http://127.0.0.1:8080;", f"proxy_pass http://{self.upstream};")

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.folder / "site.conf").write_text(self.site())
        as_nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen([NGINX, "-c", self.folder / "nginx.conf", "-e", "stderr"],
                                        stderr=subprocess.PIPE, text=True, **as_nobody)
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if "start worker process " in line:
                return True
        assert self.process.wait(timeout=LIMIT) != 0
        self.process.stderr.close()
        assert "Address already in use" in self.said, self.said
        return False

    def url(self, host="127.0.0.1"):
        return f"wss://{host}:{self.port}"

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=LIMIT)
        self.scratch.cleanup()
        return self.process.returncode


class Proxied(unittest.TestCase):
    def behind(self, *options):
        server = Server(*PROXY_OPTIONS, *options)
        self.addCleanup(lambda: self.assertEqual(server.close(), 0))
        nginx = Nginx(server)
        self.addCleanup(lambda: self.assertEqual(nginx.close(), 0))
        return server, nginx

    def run_to_end(self, coroutine):
        asyncio.run(asyncio.wait_for(coroutine, LIMIT))

    def test_two_peers_meet(self):
        _, nginx = self.behind()
        for host in ["127.0.0.1"] + ["[::1]"] * has_ipv6():
            with self.subTest(host):
                ca = ["--tls-ca", nginx.own[0]]
                listener = Peer(nginx.url(host), *ca, "--id", "al", "listen")
                self.addCleanup(WithServer.end, listener)
                listener.wait_for("registered")
                connector = Peer(nginx.url(host), *ca, "connect", "al", stdin=subprocess.PIPE)
                status, _ = connector.finish(b"x")
                self.assertEqual(status, 0, connector.events)
                self.assertEqual(listener.finish(), (0, b"x"))

    def test_clients_are_counted_by_their_own_address_whatever_they_say_of_it(self):
        _, nginx = self.behind("--max-connections-per-address", "2")
        self.run_to_end(self.count(nginx))

    async def count(self, nginx):
        trusted = ssl.create_default_context(cafile=nginx.own[0])
        held = []

        async def status(address, forwarded_for=None):
            header = {"X-Forwarded-For": forwarded_for} if forwarded_for else {}
            try:
                held.append(await websockets.connect(nginx.url(), ssl=trusted, local_addr=(address, 0),
                                                     extra_headers=header))
                return 101
            except websockets.InvalidStatusCode as refused:
                return refused.status_code

        self.assertEqual([await status("127.0.0.2") for _ in range(3)], [101, 101, 503])
        # A lie further left neither opens the door nor takes another's place.
        self.assertEqual(await status("127.0.0.2", "192.0.2.1"), 503)
        self.assertEqual(await status("127.0.0.2", "192.0.2.1, 127.0.0.1"), 503)
        self.assertEqual([await status("127.0.0.3", "127.0.0.4") for _ in range(2)], [101, 101])
        self.assertEqual([await status("127.0.0.4") for _ in range(3)], [101, 101, 503])
        for client in held:
            await client.close()

    def test_pings_keep_an_idle_connection_alive_on_both_sides(self):
        idle = 12  # a pong has half of it, in which the machine may well stand still
        _, nginx = self.behind("--idle-timeout", str(idle))
        with socket.create_connection(("127.0.0.1", nginx.port), timeout=LIMIT) as tcp, \
                ssl.create_default_context(cafile=nginx.own[0]).wrap_socket(tcp, server_hostname=NAME) as client:
            client.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            stream = client.makefile("rb")
            self.assertIn(b" 101 ", stream.readline())
            while stream.readline() != b"\r\n":
                pass
            register = b'{"type":"register","peer_id":"al"}'
            client.sendall(bytes([0x81, 0x80 | len(register), 0, 0, 0, 0]) + register)
            began = time.monotonic()
            pings = 0
            while time.monotonic() < began + idle * 1.5 or pings < 3:
                opcode, length = stream.read(2)
                if length == 126:
                    length = int.from_bytes(stream.read(2), "big")
                payload = stream.read(length)
                self.assertIn(opcode, (0x81, 0x89), payload)
                if opcode == 0x89:
                    client.sendall(bytes([0x8A, 0x80 | length, 0, 0, 0, 0]) + payload)
                    pings += 1
        # By default the server pings after 30 s: nginx has to wait longer.
        for timeout in ("proxy_read_timeout", "proxy_send_timeout"):
            self.assertGreater(int(re.search(timeout + r" (\d+)s;", SHIPPED)[1]), 60)

    def test_the_largest_message_passes(self):
        _, nginx = self.behind()
        self.run_to_end(self.large(nginx))

    async def large(self, nginx):
        al, bob = [await join(nginx.url(), nginx.own[0], name) for name in ("al", "bob")]
        for size in (20_000, 65_000):
            await say(al, bob, "bob", "v" * size)
            await say(bob, al, "al", "a" * size)
        await al.close()
        await bob.close()

    def test_a_reload_with_a_renewed_certificate_drops_nobody(self):
        _, nginx = self.behind()
        self.run_to_end(self.reload(nginx))

    async def reload(self, nginx):
        al = await join(nginx.url(), nginx.own[0], "al")
        nginx.install(nginx.other)
        nginx.process.send_signal(signal.SIGHUP)
        bob = None
        while bob is None:  # until the new workers answer
            try:
                bob = await join(nginx.url(), nginx.other[0], "bob")
            except ssl.SSLCertVerificationError:
                pass
        await say(al, bob, "bob", "from the old worker")
        await say(bob, al, "al", "from the new one")
        await al.close()
        await bob.close()


if __name__ == "__main__":
    unittest.main()
