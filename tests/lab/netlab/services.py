"""The public servers of a lab: the signaling server at `signal`, coturn at `stun`."""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import time

from . import programs
from .addresses import SERVERS

SIGNAL, STUN = SERVERS
SECRET = "the lab keeps no secrets"
SERVER_URL = f"ws://{SIGNAL.address}:8080"
STUN_URL = f"stun:{STUN.address}:3478"
TURN_URL = f"turn:{STUN.address}:3478?transport=udp"
TURN_TCP_URL = f"turn:{STUN.address}:3478?transport=tcp"


def turn_credentials(seconds=86400, user="lab"):
    """User name and password by the TURN REST convention, which coturn's use-auth-secret reads."""
    name = f"{int(time.time()) + seconds}:{user}"
    mac = hmac.new(SECRET.encode(), name.encode(), hashlib.sha1).digest()
    return name, base64.b64encode(mac).decode()


class Coturn:
    """STUN and TURN over UDP and TCP on port 3478 of host `stun`; the log tells of allocations. With
    both of the host's addresses it speaks RFC 5780 too, on 3479 as well."""

    def __init__(self, lab, folder="/run", both=False):
        self.log_path = os.path.join(folder, "coturn.log")
        if not shutil.which("turnserver"):
            raise FileNotFoundError("no turnserver here: apt-get install coturn")
        options = {"listening-port": 3478, "realm": "lab.example", "static-auth-secret": SECRET,
                   "log-file": "stdout", "pidfile": os.path.join(folder, "coturn.pid"),
                   "userdb": os.path.join(folder, "coturn.db"), "relay-threads": 1}
        addresses = [f"--{key}={address}" for key in ("listening-ip", "relay-ip")
                     for address in (STUN.address, STUN.address6)]
        if both:
            addresses.append(f"--listening-ip={STUN.second}")
        self._log = open(self.log_path, "wb")
        self.process = lab.start("stun", [
            "turnserver", "-n", "--verbose", "--use-auth-secret", "--no-tls", "--no-dtls", "--no-cli",
            *addresses, *(f"--{key}={value}" for key, value in options.items())],
            stdout=self._log, stderr=subprocess.STDOUT)
        wait_until(lambda: _accepts(lab, "stun", STUN.address, 3478), self.process, "coturn")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def settled(self, seconds=3.0):
        """(made, released by their owners) so far, once the two agree or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.log()
            # By session: a request that was retransmitted is logged twice.
            made = len(set(re.findall(r"session (\d+): new, ", text)))
            released = len(set(re.findall(r"session (\d+): refreshed,.* lifetime=0$", text, re.MULTILINE)))
            if made == released or time.monotonic() > deadline:
                return made, released
            wait_a_moment(self.process)


# Peers in a lab have documentation addresses, which a relay refuses by default.
ALLOW_LAB = ("--relay-allow", "203.0.113.0/24", "--relay-allow", "198.51.100.0/24")


class SignalingServer:
    """Our own server at host `signal`, announcing the ICE servers that are given; itself, if none are."""

    def __init__(self, lab, ice_servers=(STUN_URL, TURN_URL), folder="/run", extra=()):
        self.lab = lab
        program = programs.require("signaling-server")
        secret_file = os.path.join(folder, "turn-secret")
        with open(secret_file, "w", encoding="utf-8") as file:
            file.write(SECRET)
        self.ready_file = os.path.join(folder, f"ready-{time.monotonic_ns()}.json")
        self.log_path = os.path.join(folder, "signaling.log")
        with open(self.log_path, "ab") as log:
            self.process = lab.start("signal", [
                program, "--ready-file", self.ready_file, "--turn-secret-file", secret_file,
                *(word for url in ice_servers for word in ("--ice-server", url)), *extra],
                stdout=log, stderr=log)
        try:
            wait_until(lambda: os.path.exists(self.ready_file), self.process, "signaling-server")
        except RuntimeError as reason:
            with open(self.log_path, encoding="utf-8") as log:
                raise RuntimeError(f"{reason}: {log.read().strip()}") from None

    def ready(self):
        with open(self.ready_file, encoding="utf-8") as file:
            return json.load(file)

    def metrics(self):
        """/metrics, its lines as a dictionary."""
        request = b"GET /metrics HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
        with self.lab.inside("signal", socket.socket) as asked:
            asked.settimeout(5)
            asked.connect(("127.0.0.1", 9090))
            asked.sendall(request)
            text = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if line and line[0].isalpha())
        return {name: float(value) for name, _, value in lines if value.replace(".", "").isdigit()}

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=10)


def wait_until(condition, process, what, seconds=10.0):
    """Waits for a started program to become ready, or to end before it has."""
    deadline = time.monotonic() + seconds
    while not condition():
        if wait_a_moment(process):
            raise RuntimeError(f"start {what}: it ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"start {what}: not ready after {seconds:.0f} s")


def wait_a_moment(process):
    """Until a program ends, but 5 ms at most; whether it has ended."""
    try:
        process.wait(timeout=0.005)
        return True
    except subprocess.TimeoutExpired:
        return False


def _accepts(lab, namespace, address, port):
    probe = lab.inside(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    with probe:
        return probe.connect_ex((address, port)) == 0
