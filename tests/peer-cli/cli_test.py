#!/usr/bin/python3
"""The command line's contract, on loopback, with the real server and real peers: what goes where, and
the exit status of everything that can go wrong. What needs NATs stands in tests/lab.

usage: cli_test.py BIN_DIRECTORY [unittest arguments]
"""

import hashlib
import itertools
import json
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import signaling_server
from signaling_server import LIMIT, address, reserved_port

BIN = pathlib.Path(sys.argv.pop(1)) if len(sys.argv) > 1 else None


class Server(signaling_server.Server):
    def __init__(self, *options):
        super().__init__(BIN / "signaling-server", *options)


class Peer:
    """One peer-cli; its events are read as they come."""

    def __init__(self, server, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=None):
        url = server if isinstance(server, str) else server.url
        self.process = subprocess.Popen(
            [BIN / "peer-cli", "-s", url, "--bind", "127.0.0.1", "--json", *arguments], stdin=stdin,
            stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
        self.events = []

    def wait_for(self, name):
        for line in self.process.stderr:
            event = self.take(line)
            if event and event["event"] == name:
                return event
        raise AssertionError(f"ended without '{name}': {self.events}")

    def take(self, line):
        if not line.startswith(b'{"event"'):
            return None
        self.events.append(json.loads(line))
        return self.events[-1]

    def finish(self, data=None):
        """(status, standard output); reads the rest of the events."""
        out, err = self.process.communicate(data, timeout=LIMIT)
        for line in (err or b"").splitlines() + (out or b"").splitlines():
            self.take(line)
        return self.process.returncode, out

    def error(self):
        return next((e for e in self.events if e["event"] == "error"), None)


def run(server, *arguments, **how):
    peer = Peer(server, *arguments, **how)
    status, out = peer.finish()
    return status, out, peer


def settled(ask, holds):
    """What `ask` gives once it holds, or the fifth time: where a STUN server stands still, `nat` sees a filter. On
    loopback 0.3 s are enough."""
    for _ in range(5):
        if holds(got := ask()):
            break
        print(f"once more: {got}", flush=True)
    return got


def noise(size, seed):
    return random.Random(seed).randbytes(size)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.close() == 0

    def listen(self, name, *options, **how):
        peer = Peer(self.server, "--id", name, "listen", *options, **how)
        peer.wait_for("registered")
        self.addCleanup(self.end, peer)
        return peer

    @staticmethod
    def end(peer):
        peer.process.kill()
        peer.process.communicate()


class Usage(unittest.TestCase):
    def test_bad_command_lines_end_with_one_line_and_status_2(self):
        for arguments in (["--nonsense", "listen"], [], ["frobnicate"], ["connect"], ["--timeout", "x", "listen"],
                          ["-s", "http://x", "listen"], ["--id", "a b", "listen"], ["connect", "a b"],
                          ["--secret-file", "/nonexistent", "listen"], ["--ice-server", "stun:", "gather"],
                          ["--ice-server", "turn:127.0.0.1", "gather"], ["--bind", "nowhere", "listen"],
                          ["--bind", "192.0.2.77", "listen"], ["--port", "9-1", "listen"],
                          ["--policy", "best", "listen"], ["check", "a", "--expect", "magic"],
                          ["ping"], ["ping", "a", "-c", "0"], ["ping", "a", "-i", "0"],
                          ["--policy", "relay", "ping", "a", "--until-direct"], ["bench"],
                          ["bench", "a", "--seconds", "61"], ["bench", "a", "--direction", "sideways"]):
            with self.subTest(arguments):
                done = subprocess.run([BIN / "peer-cli", *arguments], capture_output=True, text=True, timeout=LIMIT)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr.startswith("peer-cli: "), done.stderr)
                self.assertLessEqual(done.stderr.count("\n"), 2)
                self.assertEqual(done.stdout, "")

    def test_a_json_descriptor_that_is_not_open_is_status_2(self):
        done = subprocess.run([BIN / "peer-cli", "--json-fd", "77", "gather"], capture_output=True, text=True,
                              timeout=LIMIT)
        self.assertEqual(done.returncode, 2)
        self.assertIn("not open", done.stderr)

    def test_help_and_version(self):
        for arguments, word in ((["--help"], "Examples:"), (["--version"], "peer-cli"), (["connect", "--help"], "PEER")):
            done = subprocess.run([BIN / "peer-cli", *arguments], capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual(done.returncode, 0)
            self.assertIn(word, done.stdout)

    def test_no_server_is_status_3(self):
        with reserved_port() as taken:
            status, _, peer = run(f"ws://{address(taken)}", "connect", "anyone")
        self.assertEqual(status, 3)
        self.assertEqual(peer.error()["code"], "signaling-unreachable")

    def test_a_server_that_speaks_something_else_is_status_3(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            peer = Peer(f"ws://127.0.0.1:{other.getsockname()[1]}", "connect", "anyone")
            connection, _ = other.accept()
            connection.recv(4096)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.close()
            status, _ = peer.finish()
        self.assertEqual(status, 3)

    def test_no_stun_server_is_status_3(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            gone.connect(gone.getsockname())  # to itself alone: who else sends there is told that nobody is
            done = subprocess.run([BIN / "peer-cli", "stun", "stun:" + address(gone)], capture_output=True, text=True,
                                  timeout=LIMIT)
        self.assertEqual(done.returncode, 3, done.stderr)


class Statuses(WithServer):
    def test_nobody_of_that_name_is_status_4_at_once(self):
        status, _, peer = run(self.server, "connect", "nobody")
        self.assertEqual(status, 4)
        self.assertEqual(peer.error()["code"], "peer-not-found")
        self.assertEqual(peer.error()["status"], 4)

    def test_a_peer_that_never_answers_is_status_4_after_the_timeout(self):
        self.listen("mute").process.send_signal(signal.SIGSTOP)
        status, _, peer = run(self.server, "--timeout", "3", "check", "mute")
        self.assertEqual(status, 4)
        self.assertEqual(peer.error()["code"], "no-answer")

    def test_a_name_that_is_taken_is_status_3(self):
        self.listen("owner")
        status, _, peer = run(self.server, "--id", "owner", "connect", "nobody")
        self.assertEqual(status, 3)
        self.assertEqual(peer.error()["code"], "id-taken")

    def test_a_busy_peer_is_status_4(self):
        listener = self.listen("popular")
        first = Peer(self.server, "connect", "popular", stdin=subprocess.PIPE)
        self.addCleanup(self.end, first)
        listener.wait_for("secured")
        status, _, peer = run(self.server, "connect", "popular")
        self.assertEqual(status, 4)
        self.assertEqual(peer.error()["code"], "peer-busy")

    def test_wrong_secrets_are_status_6_and_no_byte_crosses(self):
        for ours, theirs in (("right", "wrong"), ("right", None), (None, "right")):
            with self.subTest(ours=ours, theirs=theirs):
                listener = self.listen("guarded", env={"PEER_SECRET": ours or ""}, stdin=subprocess.PIPE)
                status, out, _ = run(self.server, "connect", "guarded", env={"PEER_SECRET": theirs or ""})
                listened, got = listener.finish(b"stolen?")
                self.assertEqual((status, listened), (6, 6))
                self.assertEqual((out, got), (b"", b""))

    def test_the_right_secret_connects(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("correct horse\n")
            file.flush()
            listener = self.listen("trusting", "--secret-file", file.name)
            status, _, _ = run(self.server, "--secret-file", file.name, "connect", "trusting")
        self.assertEqual((status, listener.finish()[0]), (0, 0))

    def test_interrupt_is_130_and_the_other_side_knows(self):
        listener = self.listen("patient")
        peer = Peer(self.server, "connect", "patient", stdin=subprocess.PIPE)
        peer.process.stdin.write(b"x")
        peer.process.stdin.flush()
        self.assertEqual(listener.process.stdout.read(1), b"x")
        peer.process.send_signal(signal.SIGINT)
        peer.process.wait(20)  # its input stays open until then: the end of that would be an end in order
        self.assertEqual(peer.finish()[0], 130)
        self.assertEqual(listener.finish()[0], 7)

    def test_interrupt_while_waiting_is_130(self):
        listener = self.listen("waiting")
        listener.process.send_signal(signal.SIGINT)
        self.assertEqual(listener.finish()[0], 130)

    def test_a_path_that_is_not_as_expected_is_status_8(self):
        self.listen("near", "--keep")
        status, out, _ = run(self.server, "check", "near", "--expect", "relay")
        self.assertEqual(status, 8)
        self.assertEqual(json.loads(out.splitlines()[-1])["outcome"], "direct")

    def test_a_bad_offer_is_refused_and_the_listener_goes_on_waiting(self):
        import asyncio
        import websockets
        sdp = "\r\n".join([
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
            "a=fingerprint:sha-1 " + ":".join(["AB"] * 20), "a=setup:actpass", "a=sctp-port:5000", ""])

        async def offer(target, text):
            async with websockets.connect(self.server.url) as stranger:
                await stranger.send(json.dumps({"type": "register", "peer_id": "stranger-of-" + target}))
                await stranger.recv()
                await stranger.send(json.dumps({"type": "offer", "target": target, "sdp": text}))
                return json.loads(await stranger.recv())

        offers = {"sturdy": "nonsense", "stable": sdp}
        listeners = [self.listen(target, "--timeout", "5", "--keep") for target in offers]
        for target, text in offers.items():
            answer = asyncio.run(asyncio.wait_for(offer(target, text), LIMIT))
            self.assertEqual((answer["type"], answer["reason"]), ("bye", "bad-offer"))
        with self.assertRaises(subprocess.TimeoutExpired):  # nor when the time-out has passed
            listeners[1].process.wait(6)
        self.assertIsNone(listeners[0].process.poll())
        for target in offers:
            self.assertEqual(run(self.server, "check", target)[0], 0)

    def test_no_path_is_status_5(self):
        # A relay-only peer without a relay has nothing to offer.
        server = Server("--no-turn")
        self.addCleanup(server.close)
        listener = Peer(server, "--id", "reachable", "listen", "--keep")
        self.addCleanup(self.end, listener)
        listener.wait_for("registered")
        status, out, _ = run(server, "--policy", "relay", "--timeout", "5", "check", "reachable")
        self.assertEqual(status, 5)
        reports = [json.loads(l) for l in out.splitlines() if b'"report"' in l]
        self.assertEqual(reports[-1]["outcome"], "failed")
        self.assertIn("reason", reports[-1])


class Pipe(WithServer):
    def exchange(self, name, up, down, *options):
        listener = self.listen(name, *options, stdin=subprocess.PIPE)
        peer = Peer(self.server, *options, "connect", name, stdin=subprocess.PIPE)
        # Both ends at once: neither may wait for the other's end.
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            theirs = pool.submit(listener.finish, down)
            ours = pool.submit(peer.finish, up)
            return listener, peer, theirs.result(), ours.result()

    def test_megabytes_arrive_whole_both_ways(self):
        up, down = noise(20_000_003, 1), noise(7_000_001, 2)
        _, peer, (listened, got_up), (status, got_down) = self.exchange("whole", up, down)
        self.assertEqual((status, listened), (0, 0))
        self.assertEqual(hashlib.sha256(got_up).digest(), hashlib.sha256(up).digest())
        self.assertEqual(hashlib.sha256(got_down).digest(), hashlib.sha256(down).digest())
        closed = next(e for e in peer.events if e["event"] == "closed")
        self.assertEqual((closed["sent"], closed["received"]), (len(up), len(down)))

    def test_empty_directions_end_too(self):
        _, _, (listened, got_up), (status, got_down) = self.exchange("empty", b"", b"")
        self.assertEqual((status, listened, got_up, got_down), (0, 0, b"", b""))

    def test_half_close_lets_the_answer_depend_on_the_whole_question(self):
        listener = self.listen("sorter", stdin=subprocess.PIPE)
        peer = Peer(self.server, "connect", "sorter", stdin=subprocess.PIPE)
        peer.process.stdin.write(b"b\na\n")
        peer.process.stdin.close()
        peer.process.stdin = None
        question = listener.process.stdout.read(4)  # its end is seen by the answer only after this
        listener.process.stdin.write(b"".join(sorted(question.splitlines(True))))
        listener.process.stdin.close()
        listener.process.stdin = None
        self.assertEqual(peer.finish(), (0, b"a\nb\n"))
        self.assertEqual(listener.finish()[0], 0)

    def test_a_check_takes_nothing_from_the_pipe(self):
        listener = self.listen("checked", stdin=subprocess.PIPE)
        status, out, _ = run(self.server, "check", "checked", "--expect", "direct")
        self.assertEqual(status, 0)
        report = json.loads(out.splitlines()[-1])
        self.assertEqual((report["event"], report["outcome"]), ("report", "direct"))
        self.assertEqual([(view["family"], view["translated"], view["public"]) for view in report["nat"]],
                         [("ipv4", False, ["127.0.0.1"])])
        message = json.loads(next(l for l in out.splitlines() if b'"message"' in l.split(b",")[0]))
        self.assertEqual((message["sent"], message["received"]), (17, 17))
        self.assertGreater(message["paths"]["direct"]["sent"], 17)
        for field in ("local", "remote", "connect_ms", "secure_ms", "rtt_ms", "timeline", "pairs"):
            self.assertIn(field, report)
        peer = Peer(self.server, "connect", "checked")
        self.assertEqual(listener.finish(b"all of it")[0], 0)
        self.assertEqual(peer.finish(), (0, b"all of it"))

    def test_keep_waits_for_the_next_one(self):
        listener = self.listen("host", "--keep", stdin=subprocess.PIPE)
        for round_ in (b"first", b"second"):
            peer = Peer(self.server, "connect", "host", stdin=subprocess.PIPE)
            peer.process.stdin.write(round_)
            peer.process.stdin.close()
            peer.process.stdin = None
            self.assertEqual(listener.process.stdout.read(len(round_)), round_)
            if round_ == b"first":
                listener.process.stdin.close()  # the end, for this peer and for those who follow
                listener.process.stdin = None
            self.assertEqual(peer.finish()[0], 0)

    def test_an_input_that_can_not_be_read_is_status_1_not_an_early_end(self):
        listener = self.listen("reader")
        folder = os.open("/", os.O_RDONLY)
        try:
            status, _, peer = run(self.server, "connect", "reader", stdin=folder)
        finally:
            os.close(folder)
        self.assertEqual(status, 1)
        self.assertIn("standard input", peer.error()["message"])
        self.assertEqual(listener.finish()[0], 7)

    def test_a_full_disk_is_status_1_and_one_line(self):
        with open("/dev/full", "wb") as full:
            listener = self.listen("full", stdout=full)
            peer = Peer(self.server, "connect", "full", stdin=subprocess.PIPE)
            status, _ = peer.finish(noise(100_000, 3))
        self.assertEqual(listener.finish()[0], 1)
        self.assertIn("No space left", listener.error()["message"])
        self.assertEqual(status, 7)

    def test_a_reader_that_goes_away_ends_both_cleanly(self):
        listener = self.listen("brief")
        peer = Peer(self.server, "connect", "brief", stdin=subprocess.PIPE)
        with subprocess.Popen(["/usr/bin/yes"], stdout=peer.process.stdin) as source:
            peer.process.stdin.close()
            peer.process.stdin = None
            self.assertEqual(listener.process.stdout.read(4), b"y\ny\n")
            listener.process.stdout.close()
            listener.process.stdout = None
            self.assertEqual(listener.finish()[0], 0)
            self.assertEqual(peer.finish()[0], 0)
            source.kill()

    def test_memory_stays_bounded_while_the_reader_is_slow(self):
        listener = self.listen("slow")
        source = noise(1 << 20, 4) * 64
        peer = Peer(self.server, "connect", "slow", stdin=subprocess.PIPE)
        import threading
        feeder = threading.Thread(target=peer.process.stdin.write, args=(source,))
        feeder.start()
        first = listener.process.stdout.read(1)
        # The feeder stalls once every buffer on the way is full; what the two processes hold by then:
        feeder.join(timeout=3)
        self.assertTrue(feeder.is_alive(), "64 MiB fit into buffers that should be bounded")
        for process in (peer.process, listener.process):
            resident = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * resource.getpagesize()
            self.assertLess(resident, 48 << 20)
        got = first + listener.process.stdout.read(len(source) - 1)
        feeder.join()
        peer.process.stdin.close()
        peer.process.stdin = None
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(source).digest())
        self.assertEqual((peer.finish()[0], listener.finish()[0]), (0, 0))


class Measurements(WithServer):
    def started(self, *arguments, event):
        """A running command that has said `event` on standard output, where its lines go."""
        peer = Peer(self.server, *arguments)
        self.addCleanup(self.end, peer)
        for line in peer.process.stdout:
            got = peer.take(line)
            if got and got["event"] == event:
                return peer
        raise AssertionError(f"ended without '{event}'")

    def expect_pipe_untouched(self, listener, name):
        peer = Peer(self.server, "connect", name)
        self.assertEqual(listener.finish(b"all of it"), (0, b""))
        self.assertEqual(peer.finish(), (0, b"all of it"))

    def test_pings_are_told_one_by_one_and_summed_up_and_take_nothing_from_the_pipe(self):
        listener = self.listen("pinged", stdin=subprocess.PIPE)
        status, _, peer = run(self.server, "ping", "pinged", "-c", "3", "-i", "0.05")
        self.assertEqual(status, 0)
        pings = [e for e in peer.events if e["event"] == "ping"]
        self.assertEqual([p["seq"] for p in pings], [1, 2, 3])
        for ping in pings:
            self.assertEqual((ping["path"], ping["remote"]["address"]), ("direct", "127.0.0.1"))
            self.assertGreater(ping["rtt_ms"], 0)
        summary = peer.events[-1]
        self.assertEqual(summary["event"], "summary")
        self.assertEqual([summary[k] for k in ("sent", "received", "lost", "direct", "relay")], [3, 3, 0, 3, 0])
        times = sorted(p["rtt_ms"] for p in pings)
        self.assertEqual([summary[k] for k in ("min_ms", "median_ms", "max_ms")], times)
        self.assertLessEqual(summary["mdev_ms"], times[2])
        self.expect_pipe_untouched(listener, "pinged")

    def test_people_read_path_and_time_on_the_first_line(self):
        self.listen("read", "--keep")
        done = subprocess.run([BIN / "peer-cli", "-s", self.server.url, "--bind", "127.0.0.1", "ping", "read",
                               "-i", "10", "--until-direct"], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^direct, 127\.0\.0\.1:\d+, [\d.]+ ms, seq 1$")
        self.assertIn("1 sent, 1 answered (1 direct, 0 by relay), 0 lost", lines[1])
        self.assertRegex(lines[2], r"min/median/mean/max/mdev ([\d.]+/){4}[\d.]+ ms$")

    def test_a_peer_that_freezes_shows_as_loss(self):
        listener = self.listen("freezing", "--keep")
        peer = self.started("ping", "freezing", "-c", "3", "-i", "3", event="ping")
        listener.process.send_signal(signal.SIGSTOP)
        status, _ = peer.finish()
        self.assertEqual(status, 0)
        summary = peer.events[-1]
        self.assertEqual((summary["sent"], summary["received"] + summary["lost"]), (3, 3))
        self.assertGreater(summary["lost"], 0)
        lost = [e for e in peer.events if e["event"] == "ping" and e["rtt_ms"] is None]
        self.assertEqual(len(lost), summary["lost"])

    def test_interrupt_sums_up_and_is_130_and_the_listener_waits_on(self):
        listener = self.listen("stopped", stdin=subprocess.PIPE)
        for arguments, first, last in ((["ping", "stopped", "-i", "0.05"], "ping", "summary"),
                                       (["bench", "stopped", "--seconds", "60"], "progress", "bench")):
            peer = self.started(*arguments, event=first)
            peer.process.send_signal(signal.SIGINT)
            self.assertEqual(peer.finish()[0], 130)
            self.assertEqual([e["event"] for e in peer.events[-2:]], [last, "error"])
        self.expect_pipe_untouched(listener, "stopped")

    def test_a_bench_counts_alike_at_both_ends(self):
        listener = self.listen("fast", stdin=subprocess.PIPE)
        for direction in ("up", "down", "both"):
            with self.subTest(direction):
                status, _, peer = run(self.server, "bench", "fast", "--seconds", "0.3", "--direction", direction)
                self.assertEqual(status, 0)
                result = peer.events[-1]
                self.assertEqual((result["event"], result["path"]), ("bench", "direct"))
                self.assertEqual({"up", "down"} & set(result),
                                 {"up", "down"} if direction == "both" else {direction})
                for one in {"up", "down"} & set(result):
                    self.assertEqual(result[one]["sent_bytes"], result[one]["received_bytes"])
                    self.assertGreater(result[one]["received_bytes"], 0)
                    self.assertGreater(result[one]["bytes_per_second"], 0)
                self.assertGreater(result["cpu_ns_per_byte"]["here"], 0)
                self.assertGreater(result["cpu_ns_per_byte"]["there"], 0)
        self.expect_pipe_untouched(listener, "fast")

    def test_without_the_secret_nothing_is_measured(self):
        for command in ("ping", "bench"):
            self.listen("guarded-" + command, "--keep", env={"PEER_SECRET": "right"})
            status, out, _ = run(self.server, command, "guarded-" + command, env={"PEER_SECRET": "wrong"})
            self.assertEqual(status, 6)
            self.assertNotIn(b'"rtt_ms"', out.split(b'"secured"')[-1])

    def test_nobody_of_that_name_is_status_4(self):
        for command in ("ping", "bench"):
            self.assertEqual(run(self.server, command, "nobody")[0], 4)

    def test_a_listener_that_dies_is_status_7_and_what_was_seen_is_told(self):
        for command, first, last in ((["ping", "-i", "0.05"], "ping", "summary"),
                                     (["bench", "--seconds", "60"], "progress", "bench")):
            listener = self.listen("dying-" + command[0])
            peer = self.started(command[0], "dying-" + command[0], *command[1:], event=first)
            listener.process.send_signal(signal.SIGINT)
            self.assertEqual(peer.finish()[0], 7)
            self.assertEqual([e["event"] for e in peer.events[-2:]], [last, "error"])


class Nat(unittest.TestCase):
    """What loopback can show of `nat`: no NAT, by a server with a second address and by one without."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--stun-alternate", "127.0.0.2:0")
        cls.port = int(cls.server.addresses["stun"][0].rsplit(":", 1)[1])
        cls.plain = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.plain.close()

    def nat(self, server, *arguments, until=None):
        """The status, the lines and the peer; settled once the first line has what `until` says."""
        def ask():
            status, out, peer = run(server, "nat", *arguments)
            return status, [json.loads(line) for line in out.splitlines()], peer
        return settled(ask, lambda got: not until or got[1] and until.items() <= got[1][0].items())

    def test_the_announced_server_tells_everything(self):
        verdict = {"family": "ipv4", "udp": "open", "translated": False, "mapping": "endpoint-independent",
                   "filtering": "endpoint-independent", "port_allocation": "preserving", "hairpin": None,
                   "fragments": True, "classic": "open internet", "friendly": True, "lifetime": None, "unlearned": []}
        status, events, errors = self.nat(self.server, until=verdict)
        self.assertEqual(status, 0, errors)
        self.assertEqual([event["event"] for event in events], ["nat"])
        event = events[0]
        self.assertEqual({name: event[name] for name in verdict}, verdict)
        self.assertEqual({address["address"] for address in event["public"]}, {"127.0.0.1"})
        place = "{address}:{port}".format_map
        others = {self.server.addresses[kind][0] for kind in ("stun", "stun_alternate")}
        self.assertIn(place(event["server"]), others)  # whichever answered first
        others.remove(place(event["server"]))
        self.assertIn({"peer": "port-restricted cone", "by": "direct"}, event["advice"])
        changed = [test for test in event["tests"] if test.get("change_request") == {"ip": True, "port": True}]
        self.assertEqual([place(test["from"]) for test in changed], [*others])

    def test_an_ordinary_server_and_what_it_can_not_tell(self):
        status, events, errors = self.nat(self.plain, until={"friendly": True})
        self.assertEqual((status, events[0]["filtering"]), (0, "unknown"), errors)
        self.assertTrue(any("filtering" in line for line in events[0]["unlearned"]))

    def test_people_read_the_answer_first(self):
        first = "IPv4: open internet, most peers connect directly"
        done = settled(lambda: subprocess.run([BIN / "peer-cli", "nat", f"stun:127.0.0.1:{self.port}"],
                                              capture_output=True, text=True, timeout=LIMIT),
                       lambda done: done.stdout.startswith(first))
        self.assertEqual((done.returncode, done.stdout.splitlines()[0]), (0, first))

    def test_with_another_run_it_forecasts_the_pair(self):
        with tempfile.TemporaryDirectory() as folder:
            other = pathlib.Path(folder, "other.json")
            for mapping, ports, expected in (("endpoint-independent", "preserving", "direct"),
                                             ("address-and-port-dependent", "random", "direct")):
                other.write_text(json.dumps({"event": "registered"}) + "\n" + json.dumps(
                    {"event": "nat", "family": "ipv4", "udp": "open", "mapping": mapping, "classic": "x",
                     "filtering": "address-and-port-dependent", "port_allocation": ports}) + "\n")
                forecast = {"with": [{"classic": "x", "by": expected}]}
                status, events, errors = self.nat(self.server, "--with", str(other), until=forecast)
                self.assertEqual((status, events[0]["with"]), (0, forecast["with"]), errors)

    def test_a_file_that_holds_no_result_is_status_2_and_says_how_to_make_one(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file")
            for content in (b"", b"\xff\x00", b"[" * 100_000, b"{}", b'{"event":"nat"}',
                            b'{"event":"nat","mapping":7,"filtering":[],"port_allocation":null}', b" " * (2 << 20)):
                file.write_bytes(content)
                status, out, errors = run(self.server, "nat", "--with", str(file))
                self.assertEqual(status, 2, content[:20])
                self.assertIn("make one on the other machine", json.loads(out)["message"])
            status, _, _ = run(self.server, "nat", "--with", str(file) + ".absent")
            self.assertEqual(status, 2)

    def test_no_server_is_status_3_in_five_seconds_of_its_own_clock(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            status, events, _ = self.nat(self.server, f"stun:127.0.0.1:{silent.getsockname()[1]}")
        self.assertEqual(status, 3)
        self.assertEqual([event["event"] for event in events], ["nat", "error"])
        self.assertEqual(events[0]["udp"], "silent")

    def test_a_url_that_is_not_for_udp_is_status_2(self):
        for url in ("stuns:127.0.0.1", "turn:127.0.0.1?transport=tcp"):
            status, _, errors = run(self.server, "nat", url)
            self.assertEqual(status, 2, errors)


class NatWithPeer(WithServer):
    """`nat --with PEER`: what a listener tells of its own NAT, as far as loopback shows."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--stun-alternate", "127.0.0.2:0")

    def forecast(self, name, *options, **how):
        status, _, peer = run(self.server, *options, "nat", "--with", name, **how)
        event = next((e for e in peer.events if e["event"] == "nat"), {"with": None})
        return status, event["with"], peer

    @staticmethod
    def open_internet(forecast):
        status, told, _ = forecast
        return (status, [(one["classic"], one["by"]) for one in told or ()]) == (0, [("open internet", "direct")])

    def asked(self, word, *options, asking=(), **how):
        """A listener, its name and the first forecast with it, settled: by another listener each time, for it keeps what
        it has measured for a minute."""
        numbers = itertools.count()

        def ask():
            name = f"{word}-{next(numbers)}"
            return self.listen(name, *options, **how), name, self.forecast(name, *asking)
        return settled(ask, lambda got: self.open_internet(got[2]))

    def test_the_peer_tells_its_nat_and_its_pipe_is_untouched(self):
        listener, name, first = self.asked("open", stdin=subprocess.PIPE)
        for status, told, peer in (first, settled(lambda: self.forecast(name), self.open_internet)):
            self.assertEqual((status, told), (0, [{"classic": "open internet", "by": "direct", "peer_id": name}]),
                             peer.events)
        self.assertEqual([e["event"] for e in peer.events if e["event"] in ("connected", "secured", "nat")],
                         ["connected", "secured", "nat"])
        reader = Peer(self.server, "connect", name)
        self.assertEqual(listener.finish(b"all of it"), (0, b""))
        self.assertEqual(reader.finish(), (0, b"all of it"))

    def test_over_a_relay_it_is_told_too(self):
        status, told, peer = self.asked("relayed", "--keep", asking=("--policy", "relay"))[2]
        self.assertEqual((status, told[0]["by"]), (0, "direct"), peer.events)
        self.assertEqual(next(e["path"] for e in peer.events if e["event"] == "connected"), "relay")

    def test_a_listener_measures_once_and_tells_that_for_a_while(self):
        other = Server("--stun-alternate", "127.0.0.2:0")
        stun = "stun:" + other.addresses["stun"][0]
        _, name, (_, first, _) = self.asked("measured", "--ice-server", stun, "--keep")
        self.assertEqual(other.close(), 0)  # nobody is there to measure by
        self.assertEqual(first[0]["classic"], "open internet")
        self.assertEqual(settled(lambda: self.forecast(name), self.open_internet)[1], first)

    def test_a_peer_without_a_server_says_that_it_knows_nothing(self):
        listener = Peer(self.server, "--id", "blind", "--ice-server", "turns:127.0.0.1:9", "--ice-username", "x", "listen",
                        "--keep", env={"PEER_ICE_CREDENTIAL": "x"})
        self.addCleanup(self.end, listener)
        listener.wait_for("registered")
        status, told, _ = settled(lambda: self.forecast("blind"), lambda got: got[0] == 0)
        self.assertEqual((status, told), (0, [{"classic": "unknown", "by": "unknown", "peer_id": "blind",
                                               "unlearned": ["mapping", "filtering"]}]))
        url = self.server.url
        done = subprocess.run([BIN / "peer-cli", "-s", url, "--bind", "127.0.0.1", "nat", "--with", "blind"],
                              capture_output=True, text=True, timeout=LIMIT)
        self.assertIn("  with blind (unknown): unknown; not known of it: mapping, filtering\n", done.stdout)

    def test_a_file_that_exists_wins_and_a_path_is_never_a_peer(self):
        _, name, (_, told, _) = self.asked("either", "--keep")
        self.assertEqual(told[0]["classic"], "open internet")
        with tempfile.TemporaryDirectory() as folder:
            event = {"event": "nat", "family": "ipv4", "mapping": "endpoint-independent", "classic": "x",
                     "filtering": "endpoint-independent", "port_allocation": "random"}
            pathlib.Path(folder, name).write_text(json.dumps(event))
            for given, expected in ((name, (0, "x")), ("./" + name, (0, "x")), ("./absent", (2, None))):
                command = [BIN.resolve() / "peer-cli", "-s", self.server.url, "--json", "nat", "--with", given]
                done = settled(lambda: subprocess.run(command, cwd=folder, capture_output=True, timeout=LIMIT),
                               lambda done: done.returncode == expected[0])
                last = json.loads(done.stdout.splitlines()[-1])
                classic = last["with"][0]["classic"] if "with" in last else None
                self.assertEqual((done.returncode, classic), expected)

    def test_a_peer_that_can_not_be_asked_has_the_statuses_of_check(self):
        self.listen("guarded", "--keep", env={"PEER_SECRET": "right"})
        self.listen("unreached", "--keep")
        self.listen("frozen", "--keep").process.send_signal(signal.SIGSTOP)
        for status, code, arguments, env in (
                (4, "peer-not-found", ["nobody"], {}), (6, None, ["guarded"], {"PEER_SECRET": "wrong"}),
                (4, "no-answer", ["frozen", "--timeout", "3"], {}),
                (5, "no-path", ["unreached", "--policy", "relay", "--ice-server", "stun:127.0.0.1:9", "--timeout", "5"],
                 {})):
            with self.subTest(arguments):
                got, told, peer = self.forecast(*arguments, env=env)
                self.assertEqual((got, told), (status, None), peer.events)
                self.assertEqual([e["status"] for e in peer.events if e["event"] == "error"], [status])
                self.assertIn(code, (None, peer.error()["code"]))
        done = subprocess.run([BIN / "peer-cli", "--id", "me", "nat", "--with", "me"], capture_output=True, text=True,
                              timeout=LIMIT)
        self.assertEqual(done.returncode, 2, done.stderr)


class Output(WithServer):
    def test_a_result_that_can_not_be_written_is_status_1_and_one_line(self):
        listener = self.listen("unheard", "--keep")
        for arguments in (["check", "unheard"], ["gather"], ["stun"]):
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                peer = Peer(self.server, *arguments, stdout=full)
                _, err = peer.process.communicate(timeout=LIMIT)
                self.assertEqual(peer.process.returncode, 1)
                self.assertIn(b"No space left", err)

    def test_gather_ends_with_the_timeout_and_shows_what_it_has(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            url = f"stun:127.0.0.1:{silent.getsockname()[1]}"
            status, out, _ = run(self.server, "--ice-server", url, "--timeout", "3", "gather")
        self.assertEqual(status, 0)
        self.assertIn(b'"host"', out)

    def test_stun_asks_the_server_it_was_given(self):
        port = self.server.addresses["stun"][0].rsplit(":", 1)[1]
        status, out, _ = run(self.server, "stun", f"stun:127.0.0.1:{port}",
                             env={"PEER_ICE_SERVERS": "stun:127.0.0.1:9"})
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out)["server"], f"stun:127.0.0.1:{port}")

    def test_stun_says_the_address_first(self):
        port = self.server.addresses["stun"][0].rsplit(":", 1)[1]
        done = subprocess.run([BIN / "peer-cli", "stun", f"stun:127.0.0.1:{port}"], capture_output=True, text=True,
                              timeout=LIMIT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.splitlines()[0].startswith("127.0.0.1:"))
        status, out, _ = run(self.server, "stun")  # the server's own, announced at registration
        self.assertEqual(status, 0)
        event = json.loads(out)
        self.assertEqual((event["event"], event["mapped"]["address"]), ("stun", "127.0.0.1"))

    def test_gather_lists_candidates(self):
        status, out, _ = run(self.server, "gather")
        self.assertEqual(status, 0)
        candidates = [e for e in map(json.loads, out.splitlines()) if e["event"] == "candidate"]
        self.assertEqual(candidates[0]["type"], "host")
        self.assertEqual({c["type"] for c in candidates}, {"host", "relay"})  # no NAT: nothing reflexive
        for field in ("address", "port", "protocol", "priority", "foundation", "base"):
            self.assertIn(field, candidates[0])

    def test_events_have_their_fields_and_payload_has_standard_output_to_itself(self):
        listener = self.listen("talker")
        peer = Peer(self.server, "connect", "talker", stdin=subprocess.PIPE)
        self.assertEqual(peer.finish(b"payload")[0], 0)
        self.assertEqual(listener.finish(), (0, b"payload"))
        seen = {e["event"]: e for e in peer.events}
        self.assertLessEqual({"registered", "candidate", "connected", "secured", "closed"}, set(seen))
        self.assertEqual(seen["connected"]["path"], "direct")
        self.assertEqual(seen["connected"]["local"]["address"], "127.0.0.1")
        self.assertTrue(all("ms" in e for e in peer.events))
        times = [e["ms"] for e in peer.events]
        self.assertEqual(times, sorted(times))

    def test_options_from_a_file_and_the_environment(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(f'server = "{self.server.url}"\nid = "from-file"\njson = true\n')
            file.flush()
            done = subprocess.run([BIN / "peer-cli", "--config", file.name, "gather"], capture_output=True, text=True,
                                  timeout=LIMIT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.peer_id(done.stdout), "from-file")
        done = subprocess.run([BIN / "peer-cli", "--json", "gather"], capture_output=True, text=True, timeout=LIMIT,
                              env={**os.environ, "PEER_SERVER": self.server.url, "PEER_ID": "from-env"})
        self.assertEqual(self.peer_id(done.stdout), "from-env")

    @staticmethod
    def peer_id(lines):
        return next(e["peer_id"] for e in map(json.loads, lines.splitlines()) if e["event"] == "registered")


if __name__ == "__main__":
    unittest.main()
