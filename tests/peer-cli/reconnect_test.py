#!/usr/bin/python3
"""Signaling that goes away while peers are connected, and comes back: the real server, killed and started
again, and a cable (a TCP proxy of the test's own) that is cut while the server lives.

usage: reconnect_test.py BIN_DIRECTORY [unittest arguments]
"""

import concurrent.futures
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import unittest

from cli_test import BIN, LIMIT, Server


class Cable:
    """Carries connections to a server until it is cut; then, if `plugged`, new ones."""

    def __init__(self, server):
        self.lead_to(server)
        self.plugged = True
        self.ends = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def lead_to(self, server):
        host, port = server.url.split("://")[1].rstrip("/").rsplit(":", 1)
        self.target = (host, int(port))

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.plugged:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
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
            with contextlib.suppress(OSError):  # its other end has gone already
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


class WithServer(unittest.TestCase):
    def setUp(self):
        self.server = self.start_server()

    def start_server(self, *options):
        server = Server(*options)
        self.addCleanup(server.close)
        return server

    def peer(self, url, *arguments, **how):
        peer = Peer(url, *arguments, **how)
        self.addCleanup(peer.end)
        return peer

    def pipe(self, *options, cable=None):
        """A listener `host` and who is connected to it, with something said already."""
        url = (cable or self.server).url
        listener = self.peer(url, *options, "--id", "host", "listen", "--keep")
        listener.wait_for("registered")
        peer = self.peer(url, *options, "--id", "guest", "connect", "host")
        self.say(peer, listener, b"before ")
        return listener, peer

    def say(self, source, sink, data):
        source.process.stdin.write(data)
        source.process.stdin.flush()
        self.assertEqual(sink.process.stdout.read(len(data)), data)

    def end_pipe(self, listener, peer):
        for end in (peer, listener):
            end.process.stdin.close()
            end.process.stdin = None
        self.assertEqual(peer.finish(), (0, b""))

    def cable(self):
        cable = Cable(self.server)
        self.addCleanup(cable.close)
        return cable

    def check(self, name, *options, server=None):
        done = subprocess.run([BIN / "peer-cli", "-s", (server or self.server).url, "--bind", "127.0.0.1", *options,
                               "check", name], capture_output=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 0, done.stderr)


class Reconnect(WithServer):
    def test_a_server_that_goes_away_is_left_and_come_back_to(self):
        listener, peer = self.pipe()
        self.server.drain()
        for end in (listener, peer):
            self.assertIn("going away", end.wait_for("signaling-lost")["reason"])
        self.say(peer, listener, b"meanwhile")
        self.server.start()
        for end, name in ((listener, "host"), (peer, "guest")):
            self.assertTrue(end.wait_for("registered", peer_id=name)["again"])
        self.say(listener, peer, b"after")
        self.end_pipe(listener, peer)
        self.check("host")

    def test_an_interrupt_while_signaling_is_away_ends_both_ends_at_once(self):
        listener, peer = self.pipe()
        self.server.kill()
        for end in (listener, peer):
            end.wait_for("signaling-lost")
        peer.process.send_signal(signal.SIGINT)
        self.assertEqual(peer.finish()[0], 130)
        listener.wait_for("closed")
        listener.process.send_signal(signal.SIGINT)
        self.assertEqual(listener.finish()[0], 130)

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
