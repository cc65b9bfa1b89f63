#!/usr/bin/python3
"""How long two real peers behind kernel NATs take to connect; one JSON object a line.

    tests/lab/lab_bench.py [--runs N] [--open-runs N]

40 ms round trip between the peers, 30 ms to STUN and TURN, 20 ms from peer to peer through the
signaling server. Both are registered; the clock runs from the first offer until the path can carry
data, as `check` reports it. The floor is 111 ms: the reflexive address after 31, the answer at 71,
one round trip of checks. Of several runs the median counts.
"""

import argparse
import json
import os
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from netlab import flood, isolate, peers, programs, services
from netlab.network import Network
from netlab.spec import parse_sites

FLOOR_MS = 111
DIRECT_MS = round(FLOOR_MS * 1.15, 1)
RELAY_MS = 240
OWN_RELAY_MS = 300  # nothing but signaling-server on the public host
FLOOD_PER_SECOND = 100_000
NAT_MS = 1500

SITES = ["a=masquerade", "b=masquerade", "s=symmetric", "t=symmetric",
         "d=masquerade,bridges=3", "e=masquerade,bridges=3",
         "o=masquerade,input=open", "p=masquerade,input=open", "u=masquerade,udp=blocked", "f=full-cone"]


def measure(lab, name, ours, theirs, path, runs, target):
    """Runs checks and prints their median; one by another path than `path` is a failure."""
    times, failures = [], []
    for _ in range(runs):
        got = peers.check(lab, ours, theirs)
        if got.status == 0 and got.outcome == path:
            times.append(got.connect_ms)
        else:
            failures.append(got.report.get("reason") or got.errors.splitlines()[-1:] or got.words())
    figure = statistics.median(times) if times else None
    report(name, figure, "ms", target, failed=len(failures), runs=[round(ms, 1) for ms in times],
           failures=failures)
    return len(times)


def report(name, value, unit, target, **more):
    figure = None if value is None else round(value, 2 if unit == "times" else 1)
    print(json.dumps({"name": name, "value": figure, "unit": unit, "target": target, **more}), flush=True)


def stun_only(lab, runs, open_runs):
    server = services.SignalingServer(lab, (services.STUN_URL,))
    measure(lab, "lab: masquerade x masquerade, STUN only", "a", "b", "direct", runs, DIRECT_MS)
    measure(lab, "lab: three dead bridges on each host, STUN only", "d", "e", "direct", runs, DIRECT_MS)
    good = measure(lab, "lab: open-input NATs, STUN only", "o", "p", "direct", open_runs, None)
    report(f"lab: open-input NATs, connected of {open_runs}", good, "runs", open_runs, better="higher")
    server.stop()


def stun_and_turn(lab, runs):
    server = services.SignalingServer(lab, (services.STUN_URL, services.TURN_URL))
    measure(lab, "lab: masquerade x masquerade, STUN and TURN", "a", "b", "direct", runs, DIRECT_MS)
    measure(lab, "lab: three dead bridges on each host, STUN and TURN", "d", "e", "direct", runs, DIRECT_MS)
    measure(lab, "lab: symmetric x symmetric by relay", "s", "t", "relay", runs, RELAY_MS)
    server.stop()


def nat_behavior(lab, runs):
    """Everything but the lifetime, through each kind of filter, 30 ms to the server."""
    for name, host in (("nothing filtered", "f"), ("masquerade", "a"), ("symmetric", "s")):
        times, failed = [], 0
        for _ in range(runs):
            with peers.Peer(lab, host, ["nat", services.STUN_URL], payload=False) as run:
                run.finish()
                got = run.last("nat")
            if got and "unknown" not in (got["mapping"], got["filtering"], got["port_allocation"]):
                times.append(got["took_ms"])
            else:
                failed += 1
        report(f"lab: nat, {name}", statistics.median(times) if times else None, "ms", NAT_MS, failed=failed,
               runs=[round(ms, 1) for ms in times])


def own_relay(lab, runs):
    server = services.SignalingServer(lab, (), extra=services.ALLOW_LAB)
    measure(lab, "lab: symmetric x symmetric by signaling-server", "s", "t", "relay", runs, OWN_RELAY_MS)
    measure(lab, "lab: UDP blocked x masquerade by signaling-server", "u", "a", "relay", runs, None)
    flood.connect(lab)
    seen = flood.measure(lab, server, "s", "t", FLOOD_PER_SECOND, 8)
    report("lab: relayed round trip in a flood, over that before", seen.loaded_ms / seen.quiet_ms, "times", 2,
           lost=seen.lost, pings=len(seen.during), quiet_ms=seen.quiet_ms, flooded_ms=seen.loaded_ms,
           per_second=round(seen.per_second), read=round(seen.taken / seen.sent, 3))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=15, help="checks a figure (15)")
    parser.add_argument("--open-runs", type=int, default=30, help="checks through open-input NATs (30)")
    chosen = parser.parse_args()
    for program in ("signaling-server", "peer-cli"):
        if not programs.find(program):
            print(f"lab_bench: {program} is not built", file=sys.stderr)
            return 2
    if reason := isolate.why_not():
        print(f"lab_bench: {reason}", file=sys.stderr)
        return 77
    isolate.enter()
    with Network(parse_sites(SITES)) as lab:
        services.Coturn(lab, both=True)
        nat_behavior(lab, chosen.runs)
        stun_only(lab, chosen.runs, chosen.open_runs)
        stun_and_turn(lab, chosen.runs)
        own_relay(lab, chosen.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
