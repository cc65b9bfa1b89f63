"""The pipe between two real peers behind kernel NATs: whole, half-closed, kept, and ended."""

import os
import subprocess
import time

from netlab import peers, services
from netlab.transfer import MEGABYTE, made, transfer
from suite import check, expect, expect_equal, expect_in_time

SITES = ["a=masquerade", "b=masquerade", "s=symmetric", "t=symmetric"]

_servers = {}


def prepare(lab):
    _servers["turn"] = services.Coturn(lab)
    _servers["signal"] = services.SignalingServer(lab)


@check("8 MB each way, whole, both end with 0")
def _(lab):
    path, rate = transfer(lab, "a", "b", 8 * MEGABYTE, 8 * MEGABYTE)
    expect_equal(path, "direct", "path")
    return f"{rate:.1f} MB/s with the start, 40 ms round trip"


@check("half-close: nothing one way, 3 MB the other, and the other way round")
def _(lab):
    transfer(lab, "a", "b", 0, 3 * MEGABYTE)
    transfer(lab, "a", "b", 3 * MEGABYTE, 0)


@check("2 MB each way by the relay")
def _(lab):
    path, rate = transfer(lab, "s", "t", 2 * MEGABYTE, 2 * MEGABYTE)
    expect_equal(path, "relay", "path")
    return f"{rate:.1f} MB/s with the start"


@check("the same secret on both sides: connected")
def _(lab):
    transfer(lab, "a", "b", 1000, 1000, PEER_SECRET="correct horse")


@check("different secrets: 6 on both sides, and no byte passes")
def _(lab):
    listener, name = peers.listen(lab, "b", stdout=subprocess.PIPE, PEER_SECRET="one")
    path, _ = made(1000, 3)
    with listener, open(path, "rb") as payload, \
            peers.Peer(lab, "a", ["connect", name], stdin=payload, PEER_SECRET="another") as caller:
        expect_equal(caller.finish(20), 6, f"status of connect ({caller.errors()[-300:]})")
        expect_equal(listener.finish(20), 6, f"status of listen ({listener.errors()[-300:]})")
        expect_equal(listener.process.stdout.read(), b"", "what the listener passed on")
        listener.process.stdout.close()


@check("a peer that is not there: 4, at once")
def _(lab):
    began = time.monotonic()
    with peers.Peer(lab, "a", ["connect", peers.new_id("nobody")]) as caller:
        expect_equal(caller.finish(20), 4, f"status ({caller.errors()[-300:]})")
    seconds = time.monotonic() - began
    expect_in_time(seconds < 3, f"told after {seconds:.1f} s")


@check("a server that is away: 3")
def _(lab):
    for url in ("ws://198.51.100.10:9", "ws://198.51.100.99:8080"):
        with peers.Peer(lab, "a", ["--timeout", "5", "connect", "anyone"], PEER_SERVER=url) as caller:
            expect_equal(caller.finish(15), 3, f"status for {url} ({caller.errors()[-300:]})")


def rounds(both, count, word):
    """Sends lines from a to b one by one and waits for each; returns the longest wait in seconds."""
    longest = 0.0
    for number in range(count):
        line = f"{word} {number} {'x' * 1000}\n".encode()
        began = time.monotonic()
        both.a.process.stdin.write(line)
        both.a.process.stdin.flush()
        expect_equal(both.b.process.stdout.readline(), line, "a line")
        longest = max(longest, time.monotonic() - began)
    return longest


@check("the direct path dies: the relay within 2 s, nothing lost")
def _(lab):
    with peers.pipe(lab, "a", "b", (), {"stdin": subprocess.PIPE}, {"stdout": subprocess.PIPE}) as both:
        both.connected()
        expect_equal(both.a.last("connected")["path"], "direct", "path at first")
        rounds(both, 20, "before")
        lab.cut("a", "b")
        cut_at = time.monotonic()
        try:
            gap = rounds(both, 60, "after")
        finally:
            lab.heal()
        moved = both.a.wait_for("path", 5) or both.b.wait_for("path", 5)
        expect(moved and moved["path"] == "relay", f"the path event says {moved}")
        both.a.process.stdin.close()
        expect_equal((both.a.finish(), both.b.finish()), (0, 0), "statuses")
        both.b.process.stdout.close()
    took = moved["at"] - cut_at
    # Half a second is for a busy machine; data waits for SCTP's own retransmission after that.
    expect_in_time(took < 2.0 + 0.5, f"moved to the relay after {took:.2f} s")
    expect_in_time(gap < 4.0, f"data stood still for {gap:.2f} s")
    return f"moved after {took:.2f} s, longest pause of the data {gap:.2f} s"


@check("SIGINT: 130, and every allocation at the relay is released")
def _(lab):
    turn = _servers["turn"]
    with peers.pipe(lab, "s", "t", (), {"stdin": subprocess.PIPE}, {"stdin": subprocess.PIPE}) as both:
        both.connected()
        both.a.interrupt()
        both.b.interrupt()
        expect_equal((both.a.finish(10), both.b.finish(10)), (130, 130), "statuses")
        for peer in (both.a, both.b):
            peer.process.stdin.close()
    made_, released = turn.settled()
    expect(made_ > 0, "the relay saw no allocation")
    expect_equal(released, made_, "allocations released, all checks of this lab so far")
    return f"{made_} allocations, {released} released"


# Behind the count of allocations: this one leaves one behind, until it expires.
@check("a peer killed in the middle of a transfer: 7, in time")
def _(lab):
    path, _ = made(64 * MEGABYTE, 6)
    with open(path, "rb") as payload, \
            peers.pipe(lab, "a", "b", (), {"stdin": payload}, {"stdout": subprocess.PIPE}) as both:
        both.b.process.stdout.read(MEGABYTE)
        both.b.process.kill()
        began = time.monotonic()
        expect_equal(both.a.finish(60), 7, f"status of who is left ({both.a.errors()[-300:]})")
        both.b.process.stdout.close()
    seconds = time.monotonic() - began
    expect_in_time(seconds < 45, f"told after {seconds:.1f} s")  # RFC 7675, 5.1: consent expires after 30
    return f"told after {seconds:.1f} s"


@check("SIGINT while it waits and while it looks for a path: 130")
def _(lab):
    listener, name = peers.listen(lab, "b")
    with listener:
        listener.interrupt()
        expect_equal(listener.finish(5), 130, "status of a listener that waits")
    listener, name = peers.listen(lab, "t", ("--policy", "direct"))
    with listener, peers.Peer(lab, "s", ["--policy", "direct", "connect", name]) as caller:
        caller.wait_for("candidate")
        caller.interrupt()
        expect_equal(caller.finish(5), 130, "status of a caller without a path")


@check("a full disk behind standard output: one line, an error, no hang")
def _(lab):
    path, _ = made(MEGABYTE, 4)
    with open("/dev/full", "wb") as full, open(path, "rb") as payload, \
            peers.pipe(lab, "a", "b", (), {"stdin": payload}, {"stdout": full}) as both:
        expect_equal(both.b.finish(20), 1, f"status of the reader ({both.b.errors()[-300:]})")
        both.a.finish(20)
        expect(both.b.errors(), "nothing said about it")


@check("a reader that goes away ends the session cleanly")
def _(lab):
    path, _ = made(4 * MEGABYTE, 5)
    reading, writing = os.pipe()
    with open(path, "rb") as payload, open(writing, "wb") as broken, \
            peers.pipe(lab, "a", "b", (), {"stdin": payload}, {"stdout": broken}) as both:
        broken.close()
        os.read(reading, 1000)
        os.close(reading)
        both.b.finish(20)
        both.a.finish(20)
