#!/usr/bin/python3
"""Signaling that goes away while peers are connected, and comes back: the real server, killed and started
again, and a cable (a TCP proxy of the test's own) that is cut while the server lives.

usage: reconnect_test.py BIN_DIRECTORY [unittest arguments]
"""

import concurrent.futures
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

BIN = pathlib.Path(sys.argv.pop(1)) if len(sys.argv) > 1 else None
LIMIT = 60  # seconds that no step comes near


class Server:
    """Can be killed and started again at the same address."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.address = "127.0.0.1:0"
        self.start()

    def start(self):
        ready = pathlib.Path(self.folder.name, "ready.json")
        ready.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [BIN / "signaling-server", "--listen", self.address, "--stun", "127.0.0.1:0", "--admin", "none",
             "--ready-file", ready], stderr=subprocess.PIPE, text=True)
        for _ in self.process.stderr:
            if ready.exists():
                break
        self.url = json.loads(ready.read_text())["websocket"][0]
        self.address = self.url.removeprefix("ws://").rstrip("/")

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=LIMIT)

    def close(self):
        self.kill()
        self.folder.cleanup()


class Cable:
    """Carries connections to the server until it is cut; then, if `plugged`, new ones."""

    def __init__(self, server):
        host, port = server.address.rsplit(":", 1)
        self.target = (host, int(port))
        self.plugged = True
        self.ends = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.plugged:
                near.close()
                continue
            far = socket.create_connection(self.target)
            self.ends += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(source, sink):
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass

    def cut(self):
        """Both ends see the connection break, as after a reset by something in between."""
        ends, self.ends = self.ends, []
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self):
        self.plugged = False
        self.listener.close()
        self.cut()


class Peer:
    """One peer-cli; its events are read as they come, from a descriptor of their own."""

    def __init__(self, url, *arguments, stdin=subprocess.PIPE):
        events, theirs = os.pipe()
        self.process = subprocess.Popen(
            [BIN / "peer-cli", "-s", url, "--bind", "127.0.0.1", "--json-fd", str(theirs), *arguments], stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[theirs])
        os.close(theirs)
        self.lines = os.fdopen(events, "r")
        self.events = []

    def wait_for(self, name, **fields):
        for line in self.lines:
            event = json.loads(line)
            self.events.append(event)
            if event["event"] == name and all(event.get(k) == v for k, v in fields.items()):
                return event
        raise AssertionError(f"ended without '{name}': {self.events}")

    def finish(self):
        out, _ = self.process.communicate(timeout=LIMIT)
        self.events += [json.loads(line) for line in self.lines]
        return self.process.returncode, out

    def end(self):
        self.process.kill()
        self.process.communicate()
        self.lines.close()


class Reconnect(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def peer(self, url, *arguments, **how):
        peer = Peer(url, *arguments, **how)
        self.addCleanup(peer.end)
        return peer

    def cable(self):
        cable = Cable(self.server)
        self.addCleanup(cable.close)
        return cable

    def check(self, name):
        done = subprocess.run([BIN / "peer-cli", "-s", self.server.url, "--bind", "127.0.0.1", "check", name],
                              capture_output=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_pipe_outlives_its_server_and_the_listener_is_found_again(self):
        listener = self.peer(self.server.url, "--id", "host", "listen", "--keep")
        listener.wait_for("registered")
        peer = self.peer(self.server.url, "connect", "host")
        quarters = [random.Random(seed).randbytes(2_000_000) for seed in range(4)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:

            def carry(*some):
                """More into the pipe than its buffers hold, and out of it at the other end."""
                data = b"".join(some)
                out = pool.submit(listener.process.stdout.read, len(data))
                peer.process.stdin.write(data)
                peer.process.stdin.flush()
                self.assertEqual(out.result(timeout=LIMIT), data)

            carry(quarters[0])
            peer.process.stdin.write(b"on its way")
            peer.process.stdin.flush()
            self.server.kill()
            listener.wait_for("signaling-lost")
            self.assertEqual(listener.process.stdout.read(10), b"on its way")
            carry(quarters[1])
            self.server.start()
            self.assertTrue(listener.wait_for("registered", peer_id="host")["again"])
            carry(*quarters[2:])
        for process in (peer.process, listener.process):
            process.stdin.close()
            process.stdin = None
        self.assertEqual(peer.finish(), (0, b""))
        self.check("host")

    def test_a_cut_connection_is_resumed_and_the_name_is_nobody_elses_meanwhile(self):
        cable = self.cable()
        listener = self.peer(cable.url, "--id", "host", "listen", "--keep")
        self.assertFalse(listener.wait_for("registered")["again"])
        for _ in range(3):
            cable.plugged = False
            cable.cut()
            listener.wait_for("signaling-lost")
            thief = self.peer(self.server.url, "--id", "host", "listen")
            self.assertEqual(thief.wait_for("error")["code"], "id-taken")
            self.assertEqual(thief.finish()[0], 3)
            cable.plugged = True
            self.assertTrue(listener.wait_for("registered", peer_id="host")["again"])
            self.check("host")

    def test_pauses_grow_with_jitter_while_nobody_answers(self):
        listeners = [self.peer(self.server.url, "--id", f"host-{i}", "listen", "--keep") for i in range(3)]
        for listener in listeners:
            listener.wait_for("registered")
        self.server.kill()
        pauses = [[listener.wait_for("signaling-lost")["retry_ms"] for _ in range(4)] for listener in listeners]
        for ours in pauses:
            for step, pause in enumerate(ours):
                self.assertGreaterEqual(pause, 125 << step)
                self.assertLessEqual(pause, 250 << step)
        self.assertGreater(len({pause for ours in pauses for pause in ours}), 9, pauses)
        self.server.start()
        for i, listener in enumerate(listeners):
            listener.wait_for("registered", peer_id=f"host-{i}")
            self.check(f"host-{i}")

    def test_a_connection_cut_while_a_pipe_runs_is_not_noticed_by_the_pipe(self):
        cable = self.cable()
        listener = self.peer(cable.url, "--id", "host", "listen")
        listener.wait_for("registered")
        peer = self.peer(cable.url, "connect", "host")
        peer.process.stdin.write(b"before ")
        peer.process.stdin.flush()
        self.assertEqual(listener.process.stdout.read(7), b"before ")
        cable.close()
        peer.wait_for("signaling-lost")
        peer.process.stdin.write(b"after")
        peer.process.stdin.close()
        peer.process.stdin = None
        listener.process.stdin.close()
        listener.process.stdin = None
        self.assertEqual(listener.finish(), (0, b"after"))
        self.assertEqual(peer.finish(), (0, b""))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
