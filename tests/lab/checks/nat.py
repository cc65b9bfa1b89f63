"""The lab itself: are these the NATs, delays and faults that it promises? UDP probes only.

"It did not arrive" is never a wait: a packet that must arrive is sent after the one that must not,
along the same path, which keeps order.
"""

import os
import select
import socket
import statistics
import struct
import time

from netlab.addresses import CORE, SERVERS
from suite import check, expect, expect_equal, expect_in_time

SITES = ["pub=public", "masq=masquerade", "masq2=masquerade", "sym=symmetric",
         "block=symmetric,ports=40000-40511", "cone=full-cone", "rest=restricted-cone",
         "open1=masquerade,input=open", "open2=masquerade,input=open",
         "cgn=masquerade,double=masquerade", "noudp=masquerade,udp=blocked",
         "dock=masquerade,bridges=3", "pin=masquerade,hairpin=on,hosts=2",
         "six=masquerade,v6=open", "wall=masquerade,v6=firewall", "slow=public,delay=60,loss=50"]

SIGNAL, STUN = (server.address for server in SERVERS)
_IP_RECVERR, _IP_TTL, _SO_RCVBUFFORCE = 11, 2, 33


def mapping(lab, sock, server="stun", port=3478):
    """Where `sock` appears to come from, as seen by a socket at a public host."""
    with lab.udp_socket(server, port=port) as seen_by:
        sock.sendto(b"who am I", (lab.public(server), port))
        _, source = seen_by.recvfrom(100)
        seen_by.sendto(b"you", source)
        sock.recvfrom(100)
        return source


def mappings(lab, host, count=1):
    """For each socket: local port, and its mapping towards two addresses and a second port."""
    rows = []
    for _ in range(count):
        with lab.udp_socket(host) as sock:
            rows.append((sock.getsockname()[1], mapping(lab, sock), mapping(lab, sock, port=3479),
                         mapping(lab, sock, "signal")))
    return rows


def reaches(lab, sock, sender, target, proof):
    """Does what `sender` sends to `target` reach `sock`? `proof()` sends what surely does."""
    sender.sendto(b"probe", target)
    proof()
    while True:
        payload, _ = sock.recvfrom(100)
        if payload == b"probe":
            return True
        if payload == b"proof":
            return False


def filtering(lab, host):
    """The words of RFC 4787 for which senders the NAT lets in."""
    with lab.udp_socket(host) as sock, lab.udp_socket("stun", port=3478) as known, \
            lab.udp_socket("stun", port=5000) as other_port, \
            lab.udp_socket("signal", port=3478) as other_address:
        sock.sendto(b"open", (STUN, 3478))
        _, mapped = known.recvfrom(100)

        def proof():
            # The farther of the two servers sends it, so it comes in last.
            known.sendto(b"proof", mapped)
        if reaches(lab, sock, other_address, mapped, proof):
            return "endpoint-independent"
        if reaches(lab, sock, other_port, mapped, proof):
            return "address-dependent"
        return "address-and-port-dependent"


@check("masquerade keeps the port for every destination")
def _(lab):
    for local, first, second, third in mappings(lab, "masq", 5):
        expect_equal({first, second, third}, {(lab.public("masq"), local)}, "mappings")


@check("symmetric takes a random port for every destination")
def _(lab):
    rows = mappings(lab, "sym", 10)
    ports = [endpoint[1] for row in rows for endpoint in row[1:]]
    expect_equal({endpoint[0] for row in rows for endpoint in row[1:]}, {lab.public("sym")}, "address")
    expect(len(set(ports)) >= 29, f"30 mappings share ports: {sorted(ports)}")
    steps = [b - a for a, b in zip(ports, ports[1:])]
    expect(max(map(abs, steps)) > 1000, f"ports follow one another: {ports}")
    return f"30 mappings, {len(set(ports))} ports, {min(ports)}-{max(ports)}"


@check("symmetric,ports= stays inside its block")
def _(lab):
    ports = [endpoint[1] for row in mappings(lab, "block", 5) for endpoint in row[1:]]
    expect(all(40000 <= port <= 40511 for port in ports), f"outside 40000-40511: {ports}")
    expect(len(set(ports)) > 10, f"one port for many destinations: {ports}")


@check("public has no mapping")
def _(lab):
    for local, *seen in mappings(lab, "pub"):
        expect_equal(set(seen), {(lab.address("pub"), local)}, "mappings")


for _host, _word in (("pub", "endpoint-independent"), ("cone", "endpoint-independent"),
                     ("rest", "address-dependent"), ("masq", "address-and-port-dependent"),
                     ("sym", "address-and-port-dependent"), ("cgn", "address-and-port-dependent")):
    @check(f"filtering of {_host} is {_word}")
    def _(lab, host=_host, word=_word):
        expect_equal(filtering(lab, host), word, "filtering")


@check("full-cone lets in a peer that was never contacted")
def _(lab):
    with lab.udp_socket("cone", port=6000) as sock, lab.udp_socket("pub") as stranger:
        stranger.sendto(b"hello", (lab.public("cone"), 6000))
        expect_equal(sock.recvfrom(100)[0], b"hello", "payload")
        sock.sendto(b"back", (lab.public("pub"), stranger.getsockname()[1]))
        expect_equal(stranger.recvfrom(100)[1], (lab.public("cone"), 6000), "answer's source")


@check("40 ms between peers, 30 to STUN, 20 to signaling")
def _(lab):
    medians = []
    for server, want in (("cone", 40.0), ("stun", 30.0), ("signal", 20.0)):
        times = round_trips(lab, "masq", server, 15)
        medians.append(f"{want:.0f}: {statistics.median(times):.2f}")
        expect(min(times) >= want, f"{server}: {min(times):.3f} ms is faster than the delay")
        expect_in_time(min(times) < want + 5, f"{server}: best of 15 took {min(times):.3f} ms, not {want}")
    return "medians " + ", ".join(medians) + " ms"


def round_trips(lab, host, server, count):
    times = []
    with lab.udp_socket(host) as sock, lab.udp_socket(server, port=7000) as echo:
        for _ in range(count):
            began = time.monotonic()
            sock.sendto(b"ping", (lab.public(server), 7000))
            payload, source = echo.recvfrom(100)
            echo.sendto(payload, source)
            sock.recvfrom(100)
            times.append((time.monotonic() - began) * 1000)
    return times


def roomy_socket(lab, namespace, port):
    """One that holds all of a burst, however long this process stands still."""
    sock = lab.udp_socket(namespace, port=port)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
    except PermissionError:  # as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return sock


@check("loss= loses about that share, and order is kept")
def _(lab):
    with lab.udp_socket("slow") as sock, roomy_socket(lab, "stun", 7001) as sink:
        for number in range(1000):
            sock.sendto(struct.pack("!I", number), (STUN, 7001))
        for _ in range(40):
            sock.sendto(b"last", (STUN, 7001))
        got = []
        while (payload := sink.recvfrom(100)[0]) != b"last":
            got.append(struct.unpack("!I", payload)[0])
    expect(got == sorted(got), "packets overtook one another")
    expect(400 <= len(got) <= 600, f"{len(got)} of 1000 arrived through 50 % loss")
    return f"{len(got)} of 1000 through 50 %"


@check("the cables carry tens of thousands of packets a second")
def _(lab):
    total, window, got = 20_000, 500, 0
    with lab.udp_socket("pub") as sock, roomy_socket(lab, "stun", 7002) as sink:
        began = time.monotonic()
        for sent in range(0, total, window):
            for _ in range(window):
                sock.sendto(b"x" * 1200, (STUN, 7002))
            while sent + window - got > 3 * window and sink.recv(2000):
                got += 1
        while got < total * 0.99 and sink.recv(2000):
            got += 1
        rate = got / (time.monotonic() - began)
    expect_in_time(rate > 10_000, f"{rate:.0f} packets a second")
    return f"{got} of {total} packets of 1200 bytes, {rate:.0f} a second"


def die_where(lab, host, ttl, target):
    """Which router says that the packet's time is over; None if it arrived."""
    with lab.udp_socket(host) as sock:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_TTL, ttl)
        sock.sendto(b"dying", target)
        errors = select.poll()
        errors.register(sock, 0)
        if not errors.poll(3000):
            return None
        _, ancillary, _, _ = sock.recvmsg(100, 1024, socket.MSG_ERRQUEUE)
        return socket.inet_ntoa(ancillary[0][2][20:24])


@check("a TTL of 2 dies at the core, between the two NATs")
def _(lab):
    target = (lab.public("cone"), 6001)
    expect_equal(die_where(lab, "masq", 1, target), "10.0.2.1", "TTL 1 dies at")
    expect_equal(die_where(lab, "masq", 2, target), CORE, "TTL 2 dies at")
    expect_equal(die_where(lab, "masq", 3, target), lab.public("cone"), "TTL 3 dies at")
    expect_equal(die_where(lab, "pub", 2, target), CORE, "TTL 2 of the public host dies at")
    expect_equal(die_where(lab, "cgn", 3, target), CORE, "TTL 3 behind two NATs dies at")


def punch(lab, left, right, opener_ttl=None, patience=3):
    """ICE's opening moves by hand: left's first check arrives before right has sent anything.

    Both know each other's mapping from STUN. Returns whether the two ports met within `patience` seconds.
    """
    with lab.udp_socket(left) as a, lab.udp_socket(right) as b:
        a_mapped, b_mapped = mapping(lab, a), mapping(lab, b)
        for sock, target in ((a, b_mapped), (b, a_mapped)):
            if opener_ttl:
                sock.setsockopt(socket.IPPROTO_IP, _IP_TTL, opener_ttl)
                sock.sendto(b"opener", target)
                sock.setsockopt(socket.IPPROTO_IP, _IP_TTL, 64)
        a.sendto(b"check", b_mapped)
        for _ in range(3):
            mapping(lab, a)  # 30 ms: what was sent before has arrived, or died, by then
            b.sendto(b"check", a_mapped)
            a.sendto(b"check", b_mapped)
        return arrived(a, patience) and arrived(b, patience)


def arrived(sock, patience):
    sock.settimeout(patience)
    try:
        return sock.recvfrom(100)[0] == b"check"
    except (TimeoutError, ConnectionRefusedError):
        return False


@check("filtered input: an early check does no harm")
def _(lab):
    hits = sum(punch(lab, "masq", "masq2") for _ in range(5))
    expect_equal(hits, 5, "punches of 5")


@check("open input: an early check spoils the mapping")
def _(lab):
    hits = sum(punch(lab, "open1", "open2", patience=0.15) for _ in range(5))
    expect_equal(hits, 0, "punches of 5")


@check("open input: an opener of TTL 2 on both sides saves it")
def _(lab):
    hits = sum(punch(lab, "open1", "open2", opener_ttl=2) for _ in range(5))
    expect_equal(hits, 5, "punches of 5")


@check("udp=blocked lets no datagram out, and TCP through")
def _(lab):
    with lab.udp_socket("noudp") as sock, lab.udp_socket("stun", port=7003) as sink, \
            lab.udp_socket("pub") as other:
        sock.sendto(b"blocked", (STUN, 7003))
        mapping(lab, other)
        other.sendto(b"passes", (STUN, 7003))
        expect_equal(sink.recvfrom(100)[0], b"passes", "first payload that arrives")
    expect(tcp_connects(lab, "noudp", 7004), "TCP is blocked as well")


def tcp_connects(lab, host, port):
    listener = lab.inside("stun", lambda: socket.create_server((STUN, port)))
    client = lab.inside(host, lambda: socket.socket())
    client.settimeout(3)
    with listener, client:
        client.connect((STUN, port))
        return True


@check("three dead bridges are up, and lead nowhere")
def _(lab):
    shown = lab.run("dock", ["ip", "-br", "addr"], capture_output=True, text=True).stdout
    for i in range(3):
        expect(f"172.{17 + i}.0.1/16" in shown and f"br-{i}" in shown, f"no bridge {i}: {shown}")
    with lab.udp_socket("dock", "172.17.0.1") as dead, lab.udp_socket("stun", port=3478) as server, \
            lab.udp_socket("dock") as alive:
        dead.sendto(b"from the bridge", (STUN, 3478))
        alive.sendto(b"from eth0", (STUN, 3478))
        sources = []
        while not sources or sources[-1][0] != b"from eth0":
            payload, source = server.recvfrom(100)
            sources.append((payload, source))
            server.sendto(b"answer", source)
        expect_equal(alive.recvfrom(100)[0], b"answer", "answer to eth0")
        dead.settimeout(0.05)
        try:
            expect(not dead.recvfrom(100), "an answer reached the bridge")
        except TimeoutError:
            pass


@check("hairpin=on: two hosts meet by public addresses")
def _(lab):
    with lab.udp_socket("pin") as a, lab.udp_socket("pin2") as b:
        a_mapped, b_mapped = mapping(lab, a), mapping(lab, b)
        a.sendto(b"hairpin", b_mapped)
        payload, source = b.recvfrom(100)
        expect_equal((payload, source), (b"hairpin", a_mapped), "through the hairpin")
        b.sendto(b"back", source)
        expect_equal(a.recvfrom(100), (b"back", b_mapped), "back through the hairpin")


@check("v6=open lets IPv6 in, v6=firewall only answers, v6=off has none")
def _(lab):
    six, wall = lab.plan.hosts["six"]["address6"], lab.plan.hosts["wall"]["address6"]
    with lab.udp_socket("six", six, 7005) as a, lab.udp_socket("wall", wall, 7005) as b, \
            lab.udp_socket("six", six) as stranger:
        stranger.sendto(b"unasked", (wall, 7005))
        b.sendto(b"asked", (six, 7005))
        expect_equal(a.recvfrom(100)[0], b"asked", "into the open site")
        a.sendto(b"answer", (wall, 7005))
        expect_equal(b.recvfrom(100)[0], b"answer", "first payload into the firewalled site")
    shown = lab.run("masq", ["ip", "-6", "addr", "show", "dev", "eth0"], capture_output=True, text=True)
    expect_equal(shown.stdout.strip(), "", "IPv6 addresses with v6=off")


@check("cut() breaks the path between two sites and no other; heal() mends it")
def _(lab):
    with lab.udp_socket("pub", port=7006) as a, lab.udp_socket("cone", port=7006) as b:
        def reaches_cone():
            a.sendto(b"probe", (lab.public("cone"), 7006))
            with lab.udp_socket("masq") as other:
                mapping(lab, other)
                other.sendto(b"proof", (lab.public("cone"), 7006))
                return b.recvfrom(100)[0] == b"probe"
        expect(reaches_cone(), "no path before the cut")
        b.recvfrom(100)
        lab.cut("pub", "cone")
        expect(not reaches_cone(), "the cut path still carries packets")
        lab.heal()
        expect(reaches_cone(), "no path after healing")


@check("nothing of the host's network is visible inside")
def _(lab):
    shown = lab.run("masq", ["ip", "-br", "link"], capture_output=True, text=True).stdout.split("\n")
    expect_equal({line.split("@")[0].split()[0] for line in shown if line}, {"lo", "eth0"}, "links")
    expect_equal(os.path.ismount("/run"), True, "a private /run")
