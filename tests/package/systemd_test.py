#!/usr/bin/python3
"""The Debian package where it belongs: a Debian 12 made by mmdebstrap, with its systemd booted in a container
(systemd-nspawn) that has a network of its own, a Redis and nothing else. The unit with all that it forbids, as it is
shipped and as README's 'On a public host' sets it up; a new certificate, an end, an upgrade, a removal. For people.

    sudo apt install mmdebstrap systemd-container && sudo tests/package/systemd_test.py build/release

usage: systemd_test.py BUILD_FOLDER [--base FILE] [unittest arguments]

  --base    a tar of that Debian, made where there is none, and used again next time
"""

import argparse
import asyncio
import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import debian  # noqa: E402
from certificate import certificate  # noqa: E402
from issuer import Issuer  # noqa: E402

LIMIT = 60
CLONE_NEWNET = 0x40000000
NAME = "signal.example.net"
SERVICE = "signaling-server"
PASSWORD = "the cluster's password"


def missing():
    if os.geteuid() != 0:
        return "root"
    wanted = ("cpack", "dpkg-deb", "mmdebstrap", "nsenter", "openssl", "systemd-nspawn")
    if lacking := next((p for p in wanted if shutil.which(p) is None), None):
        return lacking
    try:
        import websockets  # noqa: F401
    except ImportError:
        return "python3-websockets"
    return None


def arguments():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--base", type=pathlib.Path)
    return parser.parse_known_args()


class Machine:
    """Debian in `root`, booted. This process moves into its network."""

    def __init__(self, root, scratch):
        self.root = root
        self.said = scratch / "console"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, open(self.said, "wb") as console:
            manager.bind(str(scratch / "notify"))
            manager.settimeout(LIMIT)
            # What there is no systemd outside for: a scope of the container's own.
            within = [] if pathlib.Path("/run/systemd/system").exists() else ["--keep-unit"]
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", *within, "--notify-ready=yes", "--console=pipe",
                 "--private-network", "--directory", root, "--boot"], stdin=subprocess.DEVNULL, stdout=console,
                stderr=console, env={**os.environ, "NOTIFY_SOCKET": str(scratch / "notify")})
            told = {}
            while told.get("READY") != "1":
                told.update(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())
        self.first = told["X_NSPAWN_LEADER_PID"]
        with open(f"/proc/{self.first}/ns/net") as network:
            assert ctypes.CDLL(None).setns(network.fileno(), CLONE_NEWNET) == 0

    def run(self, *words):
        return subprocess.run(
            ["nsenter", "--target", self.first, "--all", "--", *map(str, words)], capture_output=True, text=True,
            timeout=LIMIT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                "DEBIAN_FRONTEND": "noninteractive"})

    def ask(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{self.run('journalctl', '-b').stdout}"
        return done.stdout

    def write(self, path, text, mode=0o644):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        file.chmod(mode)
        file.write_text(text)

    def install(self, deb):
        shutil.copy(deb, self.root / "rendezvous.deb")
        return self.ask("dpkg", "--install", "/rendezvous.deb")

    def show(self, name):
        return self.ask("systemctl", "show", "--property", name, "--value", SERVICE).strip()

    def state(self):
        return self.show("ActiveState"), self.run("systemctl", "is-enabled", SERVICE).stdout.strip()

    def end(self):
        self.run("systemctl", "poweroff")
        try:
            return self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.wait()


def newer(deb, folder):
    """The same package under the next version."""
    debian.output("dpkg-deb", "-R", deb, folder / "content")
    control = folder / "content/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", r"\g<0>.1", control.read_text(), flags=re.M))
    debian.output("dpkg-deb", "--root-owner-group", "-b", folder / "content", folder / "newer.deb")
    return folder / "newer.deb"


class Package(unittest.TestCase):
    """Installed before each test, purged after it."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        folder = cls.folder = pathlib.Path(cls.scratch.name)
        cls.deb = debian.package(CHOSEN.build, folder)
        cls.newer = newer(cls.deb, folder)
        base = debian.bookworm(CHOSEN.base or folder / "debian.tar", "systemd", "systemd-sysv", "dbus", "redis-server",
                               *debian.depends(cls.deb))
        root = folder / "root"
        root.mkdir()
        debian.output("tar", "-C", root, "-xf", base)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        with open(root / "etc/redis/redis.conf", "a") as redis:
            redis.write(f'\nrequirepass "{PASSWORD}"\n')
        cls.machine = Machine(root, folder)
        cls.addClassCleanup(cls.ends)

    @classmethod
    def ends(cls):
        status = cls.machine.end()
        assert status == 0, f"the container ended with {status}"

    def setUp(self):
        self.machine.ask("journalctl", "--cursor-file=/run/cursor", "--lines=1")
        self.machine.install(self.deb)
        self.addCleanup(self.machine.ask, "dpkg", "--purge", "rendezvous")
        self.assertEqual(self.machine.state(), ("inactive", "disabled"))

    def start(self):
        self.machine.ask("systemctl", "enable", "--now", SERVICE)
        self.assertEqual(self.machine.show("ActiveState"), "active")
        self.is_ready()

    def is_ready(self):
        """Soon: a Redis is spoken to only after systemd is told."""
        deadline = time.monotonic() + LIMIT
        while (answer := self.admin("/readyz"))[0] != 200:
            if time.monotonic() > deadline:
                self.fail((answer, self.said()))

    def stop(self):
        self.machine.ask("systemctl", "stop", SERVICE)
        self.ended_well()

    def ended_well(self):
        """By itself, with status 0."""
        self.ended()
        self.assertEqual([self.machine.show(name) for name in ("ExecMainCode", "ExecMainStatus")], ["1", "0"])

    def ended(self):
        self.assertEqual(self.machine.show("ActiveState"), "inactive")
        said = self.said()
        self.assertEqual(said[-2:], [f"{SERVICE}.service: Deactivated successfully.",
                                     f"Stopped {SERVICE}.service - Rendezvous signaling server."])
        self.assertIn('"stopped"', "".join(said))

    def said(self):
        """What systemd and the server have said of it since this was asked last. Nothing was denied it."""
        entries = map(json.loads, self.machine.ask(
            "journalctl", "--cursor-file=/run/cursor", "--output=json").splitlines())
        said = [entry["MESSAGE"] for entry in entries
                if f"{SERVICE}.service" in (entry.get("UNIT"), entry.get("_SYSTEMD_UNIT"))]
        self.assertNotRegex("\n".join(said), "(?i)SYS|dump|not permitted|denied|not supported|read-only|ignoring")
        return said

    def is_secure(self):
        said = self.machine.ask("systemd-analyze", "security", "--no-pager", "--threshold=20", SERVICE)
        print(said.splitlines()[-1], file=sys.stderr)

    def process(self):
        return int(self.machine.show("MainPID"))

    def of_process(self, file):
        return self.machine.ask("cat", f"/proc/{self.process()}/{file}")

    @staticmethod
    def admin(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:9090{path}", timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    @staticmethod
    def run_to_end(coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, LIMIT))

    async def is_sent_away(self, client):
        """It is told so, and the connection closed in order."""
        self.assertEqual(json.loads(await client.recv()), {"type": "going-away"})
        await client.wait_closed()
        self.assertEqual(client.close_code, 1001)


class AsShipped(Package):
    def test_it_serves_and_relays_and_may_do_nothing_else(self):
        self.start()
        gathered = self.machine.ask("peer-cli", "-s", "ws://127.0.0.1:8080", "gather")
        self.assertRegex(gathered, r"(?m)^ +relay +udp +127\.0\.0\.1:")
        status = dict(line.split(":\t", 1) for line in self.of_process("status").splitlines())
        self.assertNotIn("0", status["Uid"].split())
        self.assertEqual({int(status[name], 16) for name in status if name.startswith("Cap")}, {0})
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        mounts = {where: how.split(",")[0]
                  for _, where, _, how, *_ in map(str.split, self.of_process("mounts").splitlines())}
        self.assertEqual([mounts[where] for where in ("/", "/home", "/root", "/dev", "/proc/sys")], ["ro"] * 5)
        self.is_secure()
        self.stop()

    def test_it_is_started_again_where_it_was_killed(self):
        self.start()
        before = self.process()
        self.machine.ask("systemctl", "kill", "--signal=KILL", SERVICE)
        deadline = time.monotonic() + LIMIT
        while self.machine.show("ActiveState") != "active" or self.process() == before:
            self.assertNotEqual(self.machine.show("ActiveState"), "failed")
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.machine.show("NRestarts"), "1")
        self.stop()

    def test_an_upgrade_restarts_what_runs_and_a_removal_ends_it(self):
        self.run_to_end(self.upgrade())

    async def upgrade(self):
        self.start()
        before = self.process()
        al = await join("ws://127.0.0.1:8080", None, "al")
        upgrade = asyncio.create_task(asyncio.to_thread(self.machine.install, self.newer))
        await self.is_sent_away(al)
        await upgrade
        self.assertEqual(self.machine.state(), ("active", "enabled"))
        self.assertNotEqual(self.process(), before)
        self.assertEqual(self.machine.ask("readlink", f"/proc/{self.process()}/exe"), f"/usr/bin/{SERVICE}\n")
        self.assertIn(f"{SERVICE}.service: Deactivated successfully.", self.said())
        bob = await join("ws://127.0.0.1:8080", None, "bob")
        removal = asyncio.create_task(asyncio.to_thread(self.machine.ask, "dpkg", "--remove", "rendezvous"))
        await self.is_sent_away(bob)
        await removal
        self.ended()
        link = self.machine.root / f"etc/systemd/system/multi-user.target.wants/{SERVICE}.service"
        self.assertTrue(link.is_symlink())  # with the configuration, for who installs it again
        self.machine.ask("dpkg", "--purge", "rendezvous")
        self.assertFalse(link.is_symlink())

    def test_an_upgrade_starts_nothing(self):
        self.machine.install(self.newer)
        self.assertEqual(self.machine.state(), ("inactive", "disabled"))


class SetUp(Package):
    """As README's 'On a public host' says: port 443, TLS, secrets in files of a group, a Redis."""

    TOML = """
listen = ["0.0.0.0:443", "[::]:443"]
log-format = "json"
log-level = "debug"
token-file = "/etc/signaling-server.tokens"
jwt-key = ["/etc/signaling-server.jwt.pem", "/etc/signaling-server.jwt.secret"]
jwt-audience = "signal.test"
tls-cert = "/etc/ssl/rendezvous/fullchain.pem"
tls-key = "/etc/ssl/rendezvous/privkey.pem"
cluster = "redis://localhost:6379"
"""
    EXTRA = """[Service]
SupplementaryGroups=signaling-secrets
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own, cls.other = (certificate(cls.folder, name, f"DNS:{NAME},IP:127.0.0.1") for name in ("own", "other"))
        (cls.folder / "issuer").mkdir()
        cls.issuer = Issuer(cls.folder / "issuer")

    def setUp(self):
        super().setUp()
        self.machine.ask("groupadd", "--system", "--force", "signaling-secrets")
        self.secret("signaling-server.tokens", "let-me-in al-*\n")
        self.secret("signaling-server.jwt.pem", self.issuer.public.read_text())
        self.secret("signaling-server.jwt.secret", self.issuer.secret_file.read_text())
        self.certify(self.own)
        self.redis("flushall")
        self.machine.write("etc/signaling-server.env", f'SIGNALING_CLUSTER_PASSWORD="{PASSWORD}"\n', 0o600)
        self.machine.write("etc/signaling-server.toml", self.TOML)
        self.machine.write(f"etc/systemd/system/{SERVICE}.service.d/override.conf", self.EXTRA)
        self.machine.ask("systemctl", "daemon-reload")
        self.start()

    def redis(self, *words):
        return self.machine.ask("env", f"REDISCLI_AUTH={PASSWORD}", "redis-cli", *words)

    def secret(self, name, text):
        self.machine.write("etc/" + name, text, 0o640)
        self.machine.ask("chgrp", "signaling-secrets", "/etc/" + name)

    def certify(self, files):
        self.machine.write("etc/ssl/rendezvous/fullchain.pem", files[0].read_text())
        self.secret("ssl/rendezvous/privkey.pem", files[1].read_text())

    async def join(self, trusted, name, **claims):
        token = self.issuer.token("RS256", sub=name, **claims).read_text().strip()
        return await join("wss://127.0.0.1", trusted[0], name, token)

    def metric(self, name):
        return float(re.search(f"^{re.escape(name)} (.*)$", self.admin("/metrics")[1], re.M)[1])

    def test_clients_come_over_wss_with_tokens_of_each_kind(self):
        self.run_to_end(self.tokens())
        gathered = self.machine.ask("env", "PEER_TOKEN=let-me-in", "peer-cli", "-s", "wss://127.0.0.1",
                                    "--tls-insecure", "--id", "al-9", "gather")
        self.assertRegex(gathered, r"(?m)^ +relay +udp +127\.0\.0\.1:")
        self.is_secure()
        self.stop()

    async def tokens(self):
        al = await join("wss://127.0.0.1", self.own[0], "al-1", "let-me-in")
        bob = await self.join(self.own, "bob")
        secret = self.issuer.token("HS256", sub="cat").read_text().strip()
        cat = await join("wss://127.0.0.1", self.own[0], "cat", secret)
        await say(al, bob, "bob", "v=0")
        await say(bob, cat, "cat", "v=1")
        for name in ("al-1", "bob", "cat"):
            self.assertEqual(self.redis("--scan", "--pattern", f"*:{name}").count("\n"), 1, self.redis("--scan"))
        for client in (al, bob, cat):
            await client.close()

    def test_a_reload_takes_a_new_certificate_and_drops_nobody(self):
        before = self.process()
        self.run_to_end(self.reload())
        self.assertEqual(self.process(), before)
        self.stop()

    async def reload(self):
        al = await self.join(self.own, "al")
        self.certify(self.other)
        self.machine.ask("systemctl", "reload", SERVICE)
        bob = None
        while bob is None:  # kill says that the signal was sent, not that it was followed
            try:
                bob = await self.join(self.other, "bob")
            except ssl.SSLCertVerificationError:
                pass
        await say(al, bob, "bob", "from before")
        await say(bob, al, "al", "from after")
        self.assertEqual(self.metric('signaling_reloads_total{outcome="done"}'), 1)

        self.machine.write("etc/ssl/rendezvous/fullchain.pem", "nothing\n")
        self.assertNotEqual(self.machine.run("systemctl", "reload", SERVICE).returncode, 0)
        self.assertRegex("\n".join(self.said()), "fullchain.pem")
        self.assertEqual(self.machine.show("ActiveState"), "active")
        cat = await self.join(self.other, "cat")
        await say(al, cat, "cat", "from before")
        self.assertEqual(self.metric('signaling_reloads_total{outcome="failed"}'), 0)
        for client in (al, bob, cat):
            await client.close()

    def test_a_stop_sends_clients_away(self):
        self.run_to_end(self.sent_away())
        self.ended_well()

    async def sent_away(self):
        al = await self.join(self.own, "al")
        stop = asyncio.create_task(asyncio.to_thread(self.machine.ask, "systemctl", "stop", SERVICE))
        await self.is_sent_away(al)
        await stop

    def test_what_it_may_not_read_it_says(self):
        self.machine.ask("systemctl", "stop", SERVICE)
        self.said()
        self.machine.ask("chgrp", "root", "/etc/ssl/rendezvous/privkey.pem")
        self.assertNotEqual(self.machine.run("systemctl", "start", SERVICE).returncode, 0)
        said = self.machine.ask("journalctl", "--cursor-file=/run/cursor", "--output=cat", "--unit", SERVICE)
        self.assertRegex(said, "privkey.pem.*Permission denied")
        self.machine.run("systemctl", "stop", SERVICE)


if __name__ == "__main__":
    if lacking := missing():
        print(f"{lacking} is missing")
        sys.exit(77)
    from websocket_client import join, say
    CHOSEN, REST = arguments()
    unittest.main(argv=sys.argv[:1] + REST)
