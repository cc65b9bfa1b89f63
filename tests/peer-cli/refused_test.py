#!/usr/bin/python3
"""Signaling that comes back and refuses, comes back elsewhere, or asks to be registered with again: real
processes on loopback. That it comes back at all stands in reconnect_test.py.

usage: refused_test.py BIN_DIRECTORY [unittest arguments]
"""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

import websockets

from reconnect_test import LIMIT, WithServer
from certificate import certificate
from signaling_server import address, reserved_port


def put(path, text):
    """In place of what it was, at once."""
    new = path.with_name("new")
    new.write_text(text)
    os.replace(new, path)
    return path


class Refused(WithServer):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        return put(self.folder / name, text)

    def redis_address(self):
        """Where a Redis may be, and nobody else."""
        port = reserved_port()
        self.addCleanup(port.close)
        return address(port)

    def restart(self, *options):
        self.server.kill()
        self.server.start(*options)

    def refused(self, end, why):
        """Waits for it; it is told once an outage, whatever else goes wrong in between."""
        while why not in end.wait_for("signaling-lost")["reason"]:
            pass

    def test_a_token_that_is_no_longer_good_does_not_end_a_pipe_and_the_next_one_is_read(self):
        tokens = self.file("tokens", "monday host guest\n")
        mine = self.file("mine", "monday\n")
        self.restart("--token-file", tokens)
        listener, peer = self.pipe("--token-file", mine)
        self.file("tokens", "tuesday host guest\n")
        self.restart("--token-file", tokens)
        for end in (listener, peer):
            self.refused(end, "The token is not known here.")
        self.say(peer, listener, b"still here")
        self.file("mine", "tuesday\n")
        for end in (listener, peer):
            self.assertTrue(end.wait_for("registered")["again"])
        self.end_pipe(listener, peer)
        self.check("host", "--id", "guest", "--token-file", mine)

    def test_a_listener_without_a_link_is_ended_by_such_a_token(self):
        tokens = self.file("tokens", "monday host\n")
        mine = self.file("mine", "monday\n")
        self.restart("--token-file", tokens)
        listener = self.peer(self.server.url, "--token-file", mine, "--id", "host", "listen", "--keep")
        listener.wait_for("registered")
        mine.unlink()
        self.file("tokens", "tuesday host\n")
        self.restart("--token-file", tokens)
        error = listener.wait_for("error")
        self.assertEqual((error["code"], error["status"]), ("unauthorized", 3))
        self.assertIn(f"can't read '{mine}'", error["message"])
        self.assertEqual(listener.finish()[0], 3)

    def test_a_cluster_that_is_away_does_not_end_a_pipe(self):
        listener, peer = self.pipe()
        self.restart("--cluster", "redis://" + self.redis_address())
        for end in (listener, peer):
            self.refused(end, "Names can't be given at the moment")
        self.say(listener, peer, b"still here")
        self.restart()
        for end in (listener, peer):
            self.assertTrue(end.wait_for("registered")["again"])
        self.end_pipe(listener, peer)
        self.check("host")

    def test_a_first_registration_waits_for_the_cluster_until_its_time_out(self):
        self.restart("--cluster", "redis://" + self.redis_address())
        listener = self.peer(self.server.url, "--id", "host", "listen")
        self.refused(listener, "Names can't be given at the moment")
        late = self.peer(self.server.url, "--timeout", "5", "connect", "host")
        self.refused(late, "Names can't be given at the moment")
        error = late.wait_for("error")
        self.assertEqual((error["code"], error["status"]), ("signaling-timeout", 3))
        self.assertIn("Names can't be given at the moment", error["message"])
        self.assertEqual(late.finish()[0], 3)
        self.restart()
        self.assertFalse(listener.wait_for("registered")["again"])
        self.check("host")

    def test_a_cut_connection_over_tls_is_resumed(self):
        own = certificate(self.folder, "own")
        self.restart("--tls-cert", own[0], "--tls-key", own[1])
        cable = self.cable()
        cable.url = cable.url.replace("ws:", "wss:")
        listener, peer = self.pipe("--tls-ca", own[0], cable=cable)
        for _ in range(2):
            cable.cut()
            for end in (listener, peer):
                end.wait_for("signaling-lost")
                self.assertTrue(end.wait_for("registered")["again"])
            self.say(peer, listener, b"and on")
        self.end_pipe(listener, peer)
        self.check("host", "--tls-ca", own[0])

    def test_a_name_is_taken_up_on_another_server_of_the_cluster(self):
        redis = shutil.which("redis-server")
        if not redis:
            self.skipTest("no redis-server")
        where = self.redis_address()
        host, port = where.split(":")
        process = subprocess.Popen([redis, "--port", port, "--bind", host, "--save", "", "--dir", self.folder],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertTrue(any("Ready to accept connections" in line for line in process.stdout))
        cluster = ["--cluster", "redis://" + where]
        self.restart(*cluster)
        other, third = self.start_server(*cluster), self.start_server(*cluster)
        cable = self.cable()
        listener, peer = self.pipe(cable=cable)
        cable.plugged = False
        cable.cut()
        for end in (listener, peer):
            end.wait_for("signaling-lost")
        thief = self.peer(third.url, "--id", "host", "listen")
        self.assertEqual(thief.wait_for("error")["code"], "id-taken")
        cable.lead_to(other)
        cable.plugged = True
        for end in (listener, peer):
            self.assertTrue(end.wait_for("registered")["again"])
        self.say(peer, listener, b"elsewhere")
        self.end_pipe(listener, peer)
        self.check("host", server=third)


class Granting:
    """A server whose registrations last two seconds, and which refuses the third; with the first, the token changes."""

    def __init__(self, token_file):
        self.token_file = token_file
        self.registered, self.connections, self.told = [], [], []
        self.done = threading.Event()
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.run(ready)), daemon=True).start()
        assert ready.wait(LIMIT)

    async def run(self, ready):
        self.over = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        async with websockets.serve(self.serve, "127.0.0.1", 0, subprotocols=["rendezvous.v1"]) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            await self.over.wait()

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)

    async def serve(self, connection):
        asked = json.loads(await connection.recv())
        self.registered.append(asked)
        if len(self.registered) == 3:
            await connection.send(json.dumps({"type": "error", "code": "unauthorized", "message": "Too old.",
                                              "request": "register"}))
            return await connection.wait_closed()
        put(self.token_file, "tuesday")
        before, self.connections = self.connections, [connection]
        await connection.send(json.dumps({"type": "registered", "peer_id": asked["peer_id"], "resume": "mine",
                                          "ice_servers": [], "ttl": 2}))
        for old in before:
            self.told.append(("old was open", old.open))
            await old.close(4001, "superseded")
        with contextlib.suppress(websockets.ConnectionClosed):  # the test ends the peer as it likes
            while True:
                self.told.append(json.loads(await connection.recv()))
                self.done.set()

    def offer(self):
        """On the connection that is registered."""
        text = json.dumps({"type": "offer", "from": "guest", "session": "s", "sdp": "no SDP"})
        asyncio.run_coroutine_threadsafe(self.connections[0].send(text), self.loop).result(LIMIT)


class Refreshed(WithServer):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tokens = put(pathlib.Path(folder.name, "mine"), "monday")
        self.server = Granting(self.tokens)
        self.addCleanup(self.server.close)

    def test_the_old_connection_is_kept_until_the_new_one_stands_and_on_where_it_is_refused(self):
        listener = self.peer(self.server.url, "--token-file", self.tokens, "--id", "host", "listen", "--keep")
        self.assertFalse(listener.wait_for("registered")["again"])
        self.assertTrue(listener.wait_for("registered")["again"])
        self.assertIn("Too old.", listener.wait_for("signaling-not-refreshed")["reason"])
        self.server.offer()
        self.assertTrue(self.server.done.wait(LIMIT))
        self.assertEqual([(one["token"], one.get("resume")) for one in self.server.registered],
                         [("monday", None), ("tuesday", "mine"), ("tuesday", "mine")])
        self.assertEqual(self.server.told, [("old was open", True),
                                            {"type": "bye", "target": "guest", "session": "s", "reason": "bad-offer"}])
        self.assertFalse([e for e in listener.events if e["event"] == "signaling-lost"])


if __name__ == "__main__":
    unittest.main()
