"""Port mapping against Debian's miniupnpd: each protocol by itself, what it opens, and what it saves."""

import statistics

from netlab import peers, services
from netlab.miniupnpd import CHAINS, Miniupnpd
from suite import Skipped, check, expect, expect_equal, expect_in_time

SITES = ["a=symmetric,wan=44.128.0", "b=symmetric,wan=44.128.0",
         "six=symmetric,wan=44.128.0,v6=firewall", "mas1=masquerade", "mas2=masquerade"]

# What a router does with a protocol that it does not know, or does not want to: nothing. The first
# requests of PCP and NAT-PMP leave as one UDP_SEGMENT message and meet the filter as that.
_PCP, _NAT_PMP, _SSDP = "udp dport 5351 @th,64,8 2", "udp dport 5351 @th,64,8 0", "udp dport 1900"


def prepare(lab):
    services.Coturn(lab)
    services.SignalingServer(lab, (services.STUN_URL, services.TURN_URL))


def router(lab, site, silent=(), **options):
    """A miniupnpd that does not hear what `silent` matches."""
    try:
        daemon = Miniupnpd(lab, site, **options)
    except FileNotFoundError as reason:
        raise Skipped(str(reason)) from None
    lab.nft(daemon.router, "add table inet deaf", "delete table inet deaf", "add table inet deaf",
            "add chain inet deaf input { type filter hook input priority -10; }",
            *(f"add rule inet deaf input {what} drop" for what in silent))
    return daemon


class Listener:
    """A listener, and the mappings that it has told of since it began."""

    def __init__(self, lab, host, arguments=()):
        self.peer, self.name = peers.listen(lab, host, list(arguments))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.__exit__()

    def mapped(self, protocol, seconds=10.0):
        """The mapping by that protocol, once it stands."""
        for event in self.peer.seen:
            if event["event"] == "port-mapped" and event["protocol"] == protocol:
                return event
        while event := self.peer.wait_for("port-mapped", seconds):
            if event["protocol"] == protocol:
                return event
        raise AssertionError(f"no mapping by {protocol}: {self.peer.errors()}")

    def end(self):
        self.peer.interrupt()
        expect_equal(self.peer.finish(10), 130, "status of an interrupted listener")


def expect_mapping(lab, site, protocol, *, silent=(), **options):
    """Mapped by that protocol and no other, deleted at the end."""
    with router(lab, site, silent, **options) as daemon, Listener(lab, site) as listener:
        got = listener.mapped(protocol)
        external = got["external"]
        expect_equal(external["address"], lab.public(site), "external address")
        expect_equal(len(daemon.rules()), 1, f"rules of the router ({daemon.rules()})")
        expect(f"dport {external['port']} " in daemon.rules()[0], f"no such port: {daemon.rules()}")
        listener.end()
        expect_equal(daemon.rules(), [], "rules after the listener has ended")
        expect_equal(daemon.rules(CHAINS[0]), [], "forwarding after the listener has ended")
        return f"{got['took_ms']:.0f} ms"


for _name, _protocol, _silent, _options in (
        ("PCP", "pcp", (_NAT_PMP, _SSDP), {}),
        ("NAT-PMP, where PCP is not heard", "nat-pmp", (_PCP, _SSDP), {}),
        ("UPnP IGD 2, where nothing listens for PCP", "upnp", (), {"pcp": False}),
        ("UPnP IGD 2, where PCP and NAT-PMP are not heard", "upnp", (_PCP, _NAT_PMP), {}),
        ("UPnP IGD 1", "upnp", (), {"pcp": False, "igd1": True}),
        ("all three at once: one mapping", "pcp", (), {})):
    @check(f"{_name}: mapped, and deleted at the end")
    def _(lab, protocol=_protocol, silent=_silent, options=_options):
        return expect_mapping(lab, "a", protocol, silent=silent, **options)


for _name, _protocol, _silent in (("PCP", "pcp", (_SSDP,)), ("UPnP IGD 2", "upnp", (_PCP,))):
    @check(f"IPv6: a pinhole by {_name}, and closed at the end")
    def _(lab, protocol=_protocol, silent=_silent):
        with router(lab, "six", silent) as daemon, Listener(lab, "six") as listener:
            inside = lab.plan.hosts["six"]["address6"]
            while (got := listener.mapped(protocol))["external"]["address"] != inside:
                listener.peer.seen.remove(got)
            port = got["external"]["port"]
            pinholes = [rule for rule in daemon.rules(CHAINS[0]) if f"dport {port} " in rule]
            expect_equal(len(pinholes), 1, f"pinholes of port {port} ({daemon.rules(CHAINS[0])})")
            listener.end()
            expect_equal(daemon.rules(CHAINS[0]), [], "forwarding after the listener has ended")
            return f"{got['took_ms']:.0f} ms"


@check("a lease is renewed before it ends")
def _(lab):
    with router(lab, "a", (_SSDP,), min_lifetime=2, max_lifetime=8) as daemon, \
            Listener(lab, "a") as listener:
        got = listener.mapped("pcp")
        expect_equal(got["lifetime_s"], 8, "lifetime")
        # The daemon's own words: one for the first request, one for each renewal.
        granted = f"mapping UDP {got['external']['port']}->"
        services.wait_until(lambda: daemon.log().count(granted) >= 3, listener.peer.process,
                            "two renewals", 20)
        expect(listener.peer.last("port-unmapped") is None, "it was lost in between")
        expect_equal(len(daemon.rules()), 1, "rules")
        listener.end()


@check("a router that forgets its mappings is told again")
def _(lab):
    with router(lab, "a", (_SSDP,)) as daemon:
        # A second back in its epoch may be a datagram that was overtaken; three are a restart.
        services.wait_until(lambda: epoch(lab, "a") >= 3, daemon.process, "a past", 10)
        told_again(lab, daemon)


def epoch(lab, host):
    """Seconds since the router lost its state, by NAT-PMP (RFC 6886, 3.2)."""
    with lab.udp_socket(host) as sock:
        sock.sendto(bytes(2), (lab.address(host).rpartition(".")[0] + ".1", 5351))
        return int.from_bytes(sock.recv(16)[4:8])


def told_again(lab, daemon):
    with Listener(lab, "a") as listener:
        listener.mapped("pcp")
        expect_equal(len(daemon.rules()), 1, "rules before it restarts")
        daemon.restart()
        expect_equal(daemon.rules(), [], "rules after it has restarted")
        daemon.announce()
        services.wait_until(lambda: len(daemon.rules()) == 1, listener.peer.process, "the mapping", 10)
        listener.end()
        expect_equal(daemon.rules(), [], "rules after the listener has ended")


@check("a router whose own address is not the public one: a second NAT")
def _(lab):
    said = {}
    for address in ("44.128.0.99", lab.public("a")):
        with router(lab, "a", ext_ip=address):
            got = peers.check(lab, "a", "mas1")
            said[address] = {(one["external_address"], one["second_nat"])
                             for one in got.report["routers"]}
    expect_equal(said, {"44.128.0.99": {("44.128.0.99", True)},
                        lab.public("a"): {(lab.public("a"), False)}}, "the routers of the report")


for _name, _silent, _options in (("NAT-PMP", (_PCP, _SSDP), {}), ("UPnP", (), {"pcp": False})):
    @check(f"two symmetric NATs, {_name} on one: direct")
    def _(lab, silent=_silent, options=_options):
        with router(lab, "b", silent, **options):
            got = peers.check(lab, "a", "b", command=["--expect", "direct"])
            expect_equal((got.status, got.outcome), (0, "direct"), f"check ({got.errors[-300:]})")
            return f"{got.connect_ms:.0f} ms"


@check("two symmetric NATs, miniupnpd on one: direct; without it: by relay")
def _(lab):
    without = peers.check(lab, "a", "b", command=["--expect", "direct"])
    expect_equal((without.status, without.outcome), (8, "relay"), "without a daemon")
    words = []
    for ours, theirs in (("a", "b"), ("b", "a")):
        with router(lab, "b"):
            with_it = peers.check(lab, ours, theirs, command=["--expect", "direct"])
            expect_equal((with_it.status, with_it.outcome), (0, "direct"),
                         f"from {ours} to {theirs}, mapping at b ({with_it.errors[-300:]})")
            words.append(f"{with_it.connect_ms:.0f} ms")
    with router(lab, "b"):
        refused = peers.check(lab, "a", "b", ["--no-port-mapping"], ["--no-port-mapping"],
                              command=["--expect", "direct"])
        expect_equal((refused.status, refused.outcome), (8, "relay"), "with --no-port-mapping")
    return ", ".join(words)


@check("a gateway that drops every question delays nobody")
def _(lab):
    for site in ("mas1", "mas2"):
        lab.nft(f"{site}-router", "add table inet deaf",
                "add chain inet deaf input { type filter hook input priority -10; }",
                "add rule inet deaf input udp dport { 5351, 1900 } drop")
    medians = {}
    for words in (("--no-port-mapping",), ()):
        runs = [peers.check(lab, "mas1", "mas2", words, words) for _ in range(5)]
        for got in runs:
            expect_equal((got.status, got.outcome), (0, "direct"), f"check ({got.errors[-300:]})")
        medians[words] = statistics.median(got.connect_ms for got in runs)
    silent, none = medians[()], medians["--no-port-mapping",]
    expect_in_time(silent < none + 150, f"{silent:.0f} ms with silent gateways, {none:.0f} ms without asking")
    return f"{silent:.0f} ms, {none:.0f} ms without asking"


@check("--no-port-mapping and --policy relay ask nobody")
def _(lab):
    with router(lab, "a") as daemon:
        for words in (["--no-port-mapping"], ["--policy", "relay"]):
            got = peers.check(lab, "b", "a", words, words)
            expect_equal(got.status, 0, f"check {words} ({got.errors[-300:]})")
        for protocol in ("PCP request", "NAT-PMP request", "M-SEARCH from", "HTTP REQUEST"):
            expect(f"{protocol} received from {lab.address('a')}" not in daemon.log()
                   and f"{protocol} {lab.address('a')}" not in daemon.log(), f"it was asked: {protocol}")
