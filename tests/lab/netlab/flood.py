"""A stranger beside the signaling server who sends it forged datagrams.

Not through lab_wire, whose cables would be the narrowest place: a veth pair leads from a namespace
of its own straight into `signal`. The forged sources (198.18.0.0/15, RFC 2544) are routed back
there, so the answers end where nobody listens, and the flood shares nothing with the peers but the
server itself.
"""

import dataclasses
import json
import statistics
import subprocess
import time

from . import peers, programs, services

SOURCES = "198.18.0.0/16"
_HERE, _THERE = "02:00:00:02:00:01", "02:00:00:02:00:02"


def connect(lab):
    lab.add_namespace("flood")
    _shell(lab, "signal",
           f"ip link add flood address {_HERE} type veth peer name wan address {_THERE} netns flood",
           "ip link set flood up",
           f"ip neigh replace 169.254.1.1 lladdr {_THERE} dev flood nud permanent",
           f"ip route add {SOURCES} via 169.254.1.1 dev flood onlink")
    _shell(lab, "flood",
           "ip link set wan up",
           "ip addr add 198.18.255.254/32 dev wan",
           f"ip neigh replace 169.254.1.2 lladdr {_HERE} dev wan nud permanent",
           f"ip route add {services.SIGNAL.address} via 169.254.1.2 dev wan onlink")


def start(lab, per_second, seconds):
    """The running flood, bounded by itself; its end is told by finish()."""
    program = programs.require("lab_flood")
    target = f"{services.SIGNAL.address}:3478"
    return lab.start("flood", [program, SOURCES, target, str(per_second), str(seconds)],
                     stdout=subprocess.PIPE)


def finish(process):
    """{"sent", "refused", "seconds"}, once the time is over."""
    out, _ = process.communicate(timeout=180)
    if process.returncode != 0:
        raise AssertionError(f"lab_flood ended with status {process.returncode}")
    return json.loads(out)


@dataclasses.dataclass
class Flooded:
    """Round trips by relay before and during a flood (milliseconds, None: lost), and the flood."""

    quiet: list
    during: list
    per_second: float
    sent: int
    taken: int  # datagrams that the server read meanwhile, those of its clients included
    allocations_before: float
    allocations_after: float

    @property
    def quiet_ms(self):
        return _median(self.quiet)

    @property
    def loaded_ms(self):
        return _median(self.during)

    @property
    def lost(self):
        return self.during.count(None)

    def words(self):
        return (f"{self.per_second:,.0f} a second, {min(100, 100 * self.taken / self.sent):.0f} % read: "
                f"{self.quiet_ms:.1f} -> {self.loaded_ms:.1f} ms, {self.lost} of {len(self.during)} lost")


def measure(lab, server, ours, theirs, per_second, seconds):
    """Pings from host `ours` to host `theirs` by the server's relay, two seconds in peace and then in a flood."""
    listener, name = peers.listen(lab, theirs)
    with listener, peers.Peer(lab, ours, ["ping", name, "-i", "0.05"], payload=False) as ping:
        _pings_until(ping, time.monotonic() + 1)
        quiet = _pings_until(ping, time.monotonic() + 2)
        before, read = _allocations(server), _datagrams_read(lab)
        running = start(lab, per_second, seconds)
        _pings_until(ping, time.monotonic() + 0.5)  # those under way when it began
        during = _pings_until(ping, time.monotonic() + seconds - 1)
        sent = finish(running)
        after, taken = _allocations(server), _datagrams_read(lab) - read
        ping.interrupt()
        ping.finish()
    return Flooded(quiet, during, sent["sent"] / sent["seconds"], sent["sent"], taken, before, after)


def _allocations(server):
    return server.metrics()["signaling_relay_allocations"]


def _datagrams_read(lab):
    """Of all UDP sockets at `signal`: what came and found a full buffer is not among them."""
    def read():
        with open("/proc/thread-self/net/snmp", encoding="utf-8") as file:
            names, values = (line.split() for line in file if line.startswith("Udp:"))
            return int(values[names.index("InDatagrams")])
    return lab.inside("signal", read)


def _pings_until(peer, moment):
    got = []
    while time.monotonic() < moment:
        event = peer.wait_for("ping", 20)
        if not event or event["path"] != "relay":
            raise AssertionError(f"no ping by relay, but {event}: {peer.errors()[-300:]}")
        got.append(event["rtt_ms"])
    return got


def _median(times):
    answered = [one for one in times if one is not None]
    return statistics.median(answered) if answered else float("inf")


def _shell(lab, namespace, *lines):
    lab.run(namespace, ["sh", "-s"], input="set -e\n" + "\n".join(lines) + "\n", text=True, check=True)
