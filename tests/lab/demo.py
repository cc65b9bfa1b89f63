#!/usr/bin/python3
"""What scripts/run shows: a server, two peers, a text each way, and the report of a check."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from netlab import addresses, isolate, peers, programs, services, spec
from netlab.network import Network

TEXTS = ("Hello from the other side of two NATs.", "Hello back. Nobody between us can read this.")


def say(text=""):
    print(text, flush=True)


def step(text):
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    say(f"\n{bold}== {text}{plain}")


class Loopback:
    """Stands in for a lab where there are no namespaces: every host is this one."""

    def start(self, _, argv, **options):
        return subprocess.Popen(argv, **options)


def show_network(lab):
    left, right = lab.hosts()[:2]
    server = addresses.SERVERS[0].address

    def side(host):
        what = lab.plan.hosts[host]
        nat = "no NAT" if what["kind"] == "public" else f"{what['kind']} NAT {what['public']}"
        return f"  {host:<7} {what['address']:<12} ── {nat}"
    sides = side(left), side(right)
    width = max(map(len, sides)) + 1
    say(f"{sides[0]:<{width}} ──┐")
    say(" " * width + f"   ├── core ── signaling-server, STUN and TURN {server}")
    say(f"{sides[1]:<{width}} ──┘")
    say("  40 ms round trip between the peers, 20 ms to the server")


def talk(lab, left, right, variables):
    """One text each way through the pipe. Returns whether both arrived."""
    step(f"A pipe: `peer-cli --id {right} listen` and `peer-cli connect {right}`")
    lines = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    listener, _ = peers.listen(lab, right, name=right, **lines, **variables)
    caller = peers.Peer(lab, left, ["--id", left, "connect", right], **lines, **variables)
    with peers.Pipe(caller, listener) as both:
        both.connected()
        found = both.a.last("connected")
        far = found["remote"]
        address = f"[{far['address']}]" if ":" in far["address"] else far["address"]
        say(f"  {found['path']} path to {address}:{far['port']}, "
            f"{found['connect_ms']:.0f} ms after the first offer, round trip {found['rtt_ms']:.0f} ms")
        secured = both.a.last("secured")
        say(f"  encrypted with {secured['cipher']}")
        both.a.process.stdin.write(TEXTS[0].encode() + b"\n")
        both.b.process.stdin.write(TEXTS[1].encode() + b"\n")
        both.a.process.stdin.close()
        both.b.process.stdin.close()
        got = (both.b.process.stdout.read().decode().strip(), both.a.process.stdout.read().decode().strip())
        say(f"  {left} → {right}: {got[0]}")
        say(f"  {right} → {left}: {got[1]}")
        statuses = both.a.finish(), both.b.finish()
        return got == TEXTS and statuses == (0, 0)


def check(lab, left, right, variables):
    """The report that people see. Returns whether there was one."""
    step(f"A check: `peer-cli check {right}`")
    listener, name = peers.listen(lab, right, name=right, **variables)
    with listener:
        environment = {**os.environ, "PEER_SERVER": services.SERVER_URL, **variables}
        command = [programs.find("peer-cli"), "-q", "--id", left, "check", name]
        return lab.start(left, command, env=environment).wait() == 0


def run(lab, left, right, **variables):
    good = talk(lab, left, right, variables) and check(lab, left, right, variables)
    step("Done" if good else "This did not work")
    if good:
        say("  On two machines: run signaling-server on one that both can reach, then on the peers\n"
            "    peer-cli -s ws://SERVER:8080 --id bob listen\n"
            "    peer-cli -s ws://SERVER:8080 connect bob\n"
            "  More networks to try: scripts/lab --help")
    return 0 if good else 1


def run_behind_nats(sites):
    isolate.enter()
    step("Two machines, each behind its own NAT")
    with Network(spec.parse_sites(sites)) as lab:
        show_network(lab)
        # The addresses of a lab are documentation's, which no relay serves unless it is told to.
        services.SignalingServer(lab, ice_servers=(), extra=[
            option for cidr in ("203.0.113.0/24", "2001:db8::/32") for option in ("--relay-allow", cidr)])
        return run(lab, *lab.hosts()[:2])


def run_on_loopback(reason):
    step(f"Two peers on loopback ({reason})")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        lab = Loopback()
        server = services.SignalingServer(lab, (), folder, extra=[
            "--listen", "127.0.0.1:0", "--stun", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        stack.callback(server.stop)
        ready = server.ready()
        say(f"  signaling-server {ready['websocket'][0]}, STUN {ready['stun'][0]}")
        peers.LOG_FOLDER = folder
        return run(lab, "alice", "bob", PEER_SERVER=ready["websocket"][0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loopback", action="store_true")
    parser.add_argument("--site", action="append", default=[])
    chosen = parser.parse_args()
    sites = chosen.site or ["alice=masquerade", "bob=masquerade"]
    reason = "as asked" if chosen.loopback else isolate.why_not()
    return run_on_loopback(reason) if reason else run_behind_nats(sites)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (spec.SpecError, RuntimeError, OSError, AssertionError, json.JSONDecodeError) as error:
        sys.exit(f"scripts/run: failed to {error}")
