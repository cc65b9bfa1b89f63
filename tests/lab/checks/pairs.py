"""Two real peers behind every pair of kernel NATs: which path must they find?"""

import itertools
import statistics

from netlab import peers, services
from suite import check, expect, expect_equal, expect_in_time

KINDS = ("public", "full-cone", "restricted-cone", "masquerade", "symmetric")
SITES = [f"{kind[:3]}{n}={kind}" for kind in KINDS for n in (1, 2)] + [
    "open1=masquerade,input=open", "open2=masquerade,input=open",
    "dock1=masquerade,bridges=3", "dock2=masquerade,bridges=3",
    "cgn1=masquerade,double=masquerade", "cgn2=masquerade,double=masquerade",
    "tcp1=masquerade,udp=blocked", "tcp2=masquerade,udp=blocked",
    "same1=masquerade,lan=192.168.1", "same2=masquerade,lan=192.168.1",
    "six1=symmetric,v6=firewall", "six2=symmetric,v6=firewall", "flat=masquerade,hosts=2"]

# TRAVERSAL.md: a random port per destination meets a filter by port: there the relay remains.
_RELAYED = {("masquerade", "symmetric"), ("symmetric", "symmetric")}
LIMIT_MS = 3000  # generous: the figures are scripts/bench's business


def prepare(lab):
    services.Coturn(lab)
    services.SignalingServer(lab, (services.STUN_URL, services.TURN_URL, services.TURN_TCP_URL))


def expect_path(lab, ours, theirs, path, **options):
    got = peers.check(lab, ours, theirs, **options)
    expect_equal((got.status, got.outcome), (0, path), f"check from {ours} to {theirs} ({got.errors[-300:]})")
    expect_in_time(got.connect_ms < LIMIT_MS, f"connect_ms is {got.connect_ms}")
    return f"{got.outcome}, {got.connect_ms:.0f} ms"


for _ours, _theirs in itertools.combinations_with_replacement(KINDS, 2):
    _path = "relay" if (_ours, _theirs) in _RELAYED else "direct"

    @check(f"{_ours} with {_theirs}: {_path}")
    def _(lab, ours=_ours, theirs=_theirs, path=_path):
        return expect_path(lab, f"{ours[:3]}1", f"{theirs[:3]}2", path)


for _name, _ours, _theirs, _path in (
        ("three dead bridges on each host", "dock1", "dock2", "direct"),
        ("two NATs on each side", "cgn1", "cgn2", "direct"),
        ("UDP blocked on one side: relay over TCP", "tcp1", "mas1", "relay"),
        ("UDP blocked on both sides: relay over TCP", "tcp1", "tcp2", "relay"),
        ("the same private addresses on both sides", "same1", "same2", "direct"),
        ("symmetric, and IPv6 behind firewalls: direct", "six1", "six2", "direct"),
        ("two hosts of one LAN", "flat", "flat2", "direct")):
    @check(_name)
    def _(lab, ours=_ours, theirs=_theirs, path=_path):
        return expect_path(lab, ours, theirs, path)


@check("open input on both sides, 5 of 5 direct")
def _(lab):
    times = []
    for _ in range(5):
        got = peers.check(lab, "open1", "open2")
        expect_equal((got.status, got.outcome), (0, "direct"), f"check ({got.errors[-300:]})")
        times.append(got.connect_ms)
    return f"median {statistics.median(times):.0f} ms"


@check("--policy relay goes by the relay, --policy direct finds none for symmetric: 5")
def _(lab):
    expect_path(lab, "mas1", "mas2", "relay", arguments=["--policy", "relay"])
    got = peers.check(lab, "sym1", "sym2", arguments=["--policy", "direct", "--timeout", "6"],
                      listen_arguments=["--policy", "direct"])
    expect_equal((got.status, got.outcome), (5, "failed"), "symmetric by --policy direct")
    expect(got.report.get("reason"), "a report that failed gives no reason")


@check("--expect direct, where only the relay works: 8")
def _(lab):
    got = peers.check(lab, "sym1", "sym2", command=["--expect", "direct"])
    expect_equal((got.status, got.outcome), (8, "relay"), "check")
