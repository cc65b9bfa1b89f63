"""Three signaling servers and the Redis that they share, with clients by the thousand.

The servers are on hosts of their own, the Redis on host `stun`; clients stand on their server's host, so that
a cut or frozen server does not take its clients' way away.
"""

import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import time

from . import programs
from .services import SECRET, STUN_URL, TURN_URL, wait_until

HOSTS = ("one", "two", "three")
SITES = [f"{host}=public,delay=0" for host in HOSTS]
REDIS_HOST = "stun"
PASSWORD = SECRET
_PORT = 6379


def start(lab):
    """The Redis, and the servers by their hosts; FileNotFoundError where a program is missing."""
    raise_limits()
    redis = Redis(lab)
    return redis, {host: Server(lab, host, redis) for host in HOSTS}


class Redis:
    def __init__(self, lab):
        if not shutil.which("redis-server"):
            raise FileNotFoundError("no redis-server here: apt-get install redis-server")
        self.lab, self.process = lab, None
        self.address = lab.public(REDIS_HOST)
        self.url = f"redis://{self.address}:{_PORT}"
        self.start()

    def start(self):
        """Empty: it keeps nothing on any disk."""
        self.process = self.lab.start(REDIS_HOST, [
            "redis-server", "--port", str(_PORT), "--bind", self.address, "--save", "", "--requirepass", PASSWORD,
            "--dir", "/run"], stdout=subprocess.DEVNULL)
        wait_until(self._answers, self.process, "redis-server")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        """One command's answer, as text."""
        asked, lines = self._tell(*words)
        with asked, lines:
            answer = lines.readline().decode().strip()
            return lines.readline().decode().strip() if answer[:1] == "$" and answer != "$-1" else answer

    def watched(self):
        """A socket that is told of every command from then on."""
        watching, lines = self._tell("MONITOR")
        with lines:
            lines.readline()
        return watching

    def _tell(self, *words):
        """The connection, and what it answers to one command; unbuffered, so that nothing is read beyond a line."""
        asked = self.lab.inside(REDIS_HOST, socket.socket)
        asked.settimeout(5)
        try:
            asked.connect((self.address, _PORT))
            asked.sendall(_command("AUTH", PASSWORD) + _command(*words))
            lines = asked.makefile("rb", buffering=0)
            lines.readline()
        except OSError:
            asked.close()
            raise
        return asked, lines

    def _answers(self):
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False


def _command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)


class Server:
    def __init__(self, lab, host, redis):
        self.lab, self.host, self.redis, self.process = lab, host, redis, None
        self.url = f"ws://{lab.public(host)}:8080"
        self.program = programs.require("signaling-server")
        self.start()

    def start(self):
        with open(f"/run/{self.host}.log", "ab") as log:
            self.process = self.lab.start(self.host, [
                self.program, "--listen", "0.0.0.0:8080", "--threads", "2", "--messages-per-second", "0",
                "--max-connections-per-address", "0", "--connections-per-second-per-address", "0", "--idle-timeout", "0",
                "--cluster", self.redis.url, "--ice-server", STUN_URL, "--ice-server", TURN_URL],
                stdout=log, stderr=log, env={**os.environ, "SIGNALING_CLUSTER_PASSWORD": PASSWORD, "TURN_SECRET": SECRET})
        wait_until(self.is_ready, self.process, f"signaling-server on {self.host}")

    def get(self, path):
        """(status, text) of the admin port; None if it does not answer."""
        try:
            with self.lab.inside(self.host, socket.socket) as asked:
                asked.settimeout(2)
                asked.connect(("127.0.0.1", 9090))
                asked.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n".encode())
                head, _, text = b"".join(iter(lambda: asked.recv(65536), b"")).decode().partition("\r\n\r\n")
                return int(head.split()[1]), text
        except (OSError, IndexError):
            return None

    def is_ready(self):
        return (self.get("/readyz") or (0,))[0] == 200

    def is_healthy(self):
        return (self.get("/healthz") or (0,))[0] == 200

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"signaling_{name} "):
                return float(line.rpartition(" ")[2])
        raise KeyError(name)

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        self.process.wait()


class Client:
    """One WebSocket to a server of the fleet; raises ConnectionError once it has ended."""

    def __init__(self, server):
        self.socket = server.lab.inside(server.host, socket.socket)
        self.socket.settimeout(5)
        self.socket.connect(("127.0.0.1", 8080))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        self.waiting = b""
        while b"\r\n\r\n" not in self.waiting:
            self._read()
        self.waiting = self.waiting.partition(b"\r\n\r\n")[2]

    def say(self, **message):
        text = json.dumps(message).encode()
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self.socket.sendall(b"\x81" + size + b"\0\0\0\0" + text)  # a mask of zeros

    def hear(self, seconds=5.0):
        """The next message; TimeoutError if none comes."""
        self.socket.settimeout(seconds)
        while True:
            if (frame := self._frame()) is not None:
                kind, text = frame
                if kind == 8:
                    raise ConnectionError(text[2:].decode() or "closed")
                if kind == 1:
                    return json.loads(text)
                continue
            self._read()

    def heard_something(self):
        look = select.poll()  # select() knows 1,024 descriptors
        look.register(self.socket, select.POLLIN)
        return bool(self.waiting) or bool(look.poll(0))

    def register(self, name, resume=None):
        self.say(type="register", peer_id=name, **({"resume": resume} if resume else {}))
        return self.hear()

    def close(self):
        self.socket.close()

    def _frame(self):
        w = self.waiting
        if len(w) < 2:
            return None
        at, size = (4, int.from_bytes(w[2:4], "big")) if w[1] == 126 else (2, w[1])
        if len(w) < at + size:
            return None
        self.waiting = w[at + size:]
        return w[0] & 15, w[at:at + size]

    def _read(self):
        if not (got := self.socket.recv(65536)):
            raise ConnectionError("ended")
        self.waiting += got


def join(server, name, resume=None):
    """A registered client, and the secret that takes its name back."""
    client = Client(server)
    answer = client.register(name, resume)
    if answer["type"] != "registered":
        raise AssertionError(f"{name} on {server.host}: {answer}")
    return client, answer["resume"]


def crowd(server, names):
    """Many registered clients; all are asked for before the first is waited for."""
    clients = [Client(server) for _ in names]
    for client, name in zip(clients, names):
        client.say(type="register", peer_id=name)
    for client in clients:
        if (answer := client.hear())["type"] != "registered":
            raise AssertionError(f"on {server.host}: {answer}")
    return clients


def until(condition, what, seconds):
    """Looks again and again, as fast as the answer comes; how long it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
    return time.monotonic() - began


def raise_limits():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
