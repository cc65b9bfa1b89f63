"""`ping` and `bench` between two real peers behind kernel NATs: which path, how long, how much."""

import statistics

from netlab import peers, services
from suite import check, expect, expect_equal, expect_in_time

SITES = ["a=masquerade", "b=masquerade", "s=symmetric", "t=symmetric"]


def prepare(lab):
    services.Coturn(lab)
    services.SignalingServer(lab)


def measure(lab, ours, theirs, command, arguments=(), seconds=40):
    """Runs `ping` or `bench` towards a listener, which must go on waiting; (status, events by name)."""
    listener, name = peers.listen(lab, theirs)
    with listener, peers.Peer(lab, ours, [*arguments, command[0], name, *command[1:]], payload=False) as peer:
        status = peer.finish(seconds)
        expect(listener.process.poll() is None, f"the listener ended: {listener.errors()[-300:]}")
        events = {}
        for event in peer.seen:
            events.setdefault(event["event"], []).append(event)
        return status, events


@check("pings take the path's 40 ms, direct")
def _(lab):
    status, events = measure(lab, "a", "b", ["ping", "-c", "10", "-i", "0.05"])
    expect_equal(status, 0, "status")
    expect_equal({ping["path"] for ping in events["ping"]}, {"direct"}, "paths")
    expect_equal({ping["remote"]["address"] for ping in events["ping"]}, {lab.public("b")}, "addresses")
    median = events["summary"][0]["median_ms"]
    expect(median >= 40, f"median of {median} ms")
    expect_in_time(median < 60, f"median of {median} ms")
    return f"median {median:.1f} ms"


@check("--policy relay: every ping says relay")
def _(lab):
    status, events = measure(lab, "a", "b", ["ping", "-c", "5", "-i", "0.05"], ["--policy", "relay"])
    expect_equal(status, 0, "status")
    expect_equal([ping["path"] for ping in events["ping"]], ["relay"] * 5, "paths")
    return f"median {events['summary'][0]['median_ms']:.1f} ms"


@check("a ping moves from the relay to the direct path, and --until-direct ends there")
def _(lab):
    lab.cut("a", "b")
    try:
        listener, name = peers.listen(lab, "b")
        with listener, peers.Peer(lab, "a", ["--timeout", "60", "ping", name, "-i", "0.1", "--until-direct"],
                                  payload=False) as peer:
            for _ in range(3):
                expect_equal((peer.wait_for("ping") or {}).get("path"), "relay", "path while the direct one is cut")
            lab.heal()
            expect_equal(peer.finish(60), 0, f"status ({peer.errors()[-300:]})")
            paths = [event["path"] for event in peer.seen if event["event"] == "ping"]
            expect_equal((paths[-1], set(paths[:-1])), ("direct", {"relay"}), "the last path, and those before")
            return f"after {len(paths) - 1} by relay"
    finally:
        lab.heal()


@check("--until-direct where only the relay works: 8, by the count and by the time-out")
def _(lab):
    for arguments, options in ((["-c", "3"], []), ([], ["--timeout", "6"])):
        status, events = measure(lab, "s", "t", ["ping", "-i", "0.1", "--until-direct", *arguments], options)
        expect_equal(status, 8, "status")
        expect_equal(events["summary"][0]["direct"], 0, "direct round trips")
        expect(events["summary"][0]["relay"] >= 1, "no round trip by relay")


@check("no path at all is 5, and no ping")
def _(lab):
    lab.cut("a", "b")
    try:
        status, events = measure(lab, "a", "b", ["ping"], ["--policy", "direct", "--timeout", "4"])
        expect_equal((status, events.get("ping")), (5, None), "status, and pings")
    finally:
        lab.heal()


def bench(lab, ours, theirs, path):
    status, events = measure(lab, ours, theirs, ["bench", "--seconds", "2"])
    expect_equal(status, 0, "status")
    result = events["bench"][0]
    expect_equal(result["path"], path, "path")
    rates = []
    for direction in ("up", "down"):
        one = result[direction]
        expect_equal(one["received_bytes"], one["sent_bytes"], f"bytes {direction}")
        # Until the last of it has come: what the buffers held when the time was over.
        expect_in_time(1500 < one["received_ms"] < 12000, f"{one['received_ms']} ms for two seconds {direction}")
        rates.append(one["bytes_per_second"] / 1e6)
    expect_in_time(statistics.mean(rates) > 0.05, f"rates of {rates} MB/s")
    return f"{rates[0]:.1f} up, {rates[1]:.1f} down MB/s"


@check("bench both ways at once, direct: both ends agree")
def _(lab):
    return bench(lab, "a", "b", "direct")


@check("bench both ways at once, by relay: both ends agree")
def _(lab):
    return bench(lab, "s", "t", "relay")
