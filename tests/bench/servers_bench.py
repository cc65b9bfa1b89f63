#!/usr/bin/python3
"""Debian's coturn and our signaling-server side by side: Binding answers, relayed ChannelData, and
ten thousand allocations held. Prints a figure a line, each the median of the rounds, in which the
two take turns.

    tests/bench/servers_bench.py                     both, as scripts/bench --only servers runs it
    tests/bench/servers_bench.py --server ours --rounds 1 --part relay

The server has one core, the generator (tests/bench/load) another; both are in a network namespace
of their own, on loopback. Targets: twice what coturn shows in this run, one waiting client no
slower; an allocation of 1 KiB; the latency of one client, with all others held, within one and a
half times that of its being alone.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER, PEER, CLIENT = "198.51.100.1", "198.51.100.2", "203.0.113.1"
SERVER_CORE, GENERATOR_CORE = "0", "1"
UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
BUSY = 0.88
INSIDE = "SERVERS_BENCH_INSIDE"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.environ.get("LAB_BIN", str(ROOT / "build/release/bin")),
                        help="where stun_load, turn_load and signaling-server are")
    parser.add_argument("--server", choices=["coturn", "ours"], action="append", help="both")
    parser.add_argument("--part", choices=["binding", "relay", "hold"], action="append", help="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each figure in a round")
    parser.add_argument("--hold", type=int, default=10_000, help="how many allocations")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="OPTION",
                        help="for our server, e.g. --with=--log-level=debug")
    return parser.parse_args()


def enter_namespace():
    """Starts this program anew inside a network namespace with the addresses above; ends with 77
    where there can be none."""
    unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("skipped: needs root or unprivileged user namespaces (unshare --net)", file=sys.stderr)
        sys.exit(77)
    os.environ[INSIDE] = "yes"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def make_addresses():
    for command in ("link set lo up", f"address add {SERVER}/32 dev lo", f"address add {PEER}/32 dev lo",
                    "route add local 203.0.113.0/24 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    subprocess.run(["ethtool", "-K", "lo", "tx-udp-segmentation", "off"], check=True, stdout=subprocess.DEVNULL)
    if not loopback_splits():
        raise RuntimeError("loopback hands coalesced datagrams on, which no network card does")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def loopback_splits():
    """Whether what is sent by UDP_SEGMENT arrives as single datagrams even where UDP_GRO is asked for."""
    with socket.socket(type=socket.SOCK_DGRAM) as there, socket.socket(type=socket.SOCK_DGRAM) as here:
        there.bind((SERVER, 0))
        there.settimeout(1)
        there.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        segment = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", 100))
        here.sendmsg([bytes(300)], [segment], 0, there.getsockname())
        return len(there.recv(1000)) == 100


def pinned(core, command):
    return ["taskset", "-c", core, *map(str, command)] if os.cpu_count() > 1 else list(map(str, command))


class Coturn:
    name = "coturn"

    def __init__(self, chosen, folder):
        (folder / "secret").write_text("bench\n")
        self.command = [
            "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--use-auth-secret", "--static-auth-secret=bench",
            "--realm=bench", f"--listening-ip={SERVER}", f"--relay-ip={SERVER}", "--listening-port=3478",
            "--relay-threads=1", "--no-software-attribute", "--no-stdout-log", f"--log-file={folder}/log",
            "--simple-log", f"--pidfile={folder}/pid", f"--userdb={folder}/users"]
        self.relays = True

    def ready(self):
        with socket.socket() as probe:
            return probe.connect_ex((SERVER, 3478)) == 0


class Ours:
    name = "ours"

    def __init__(self, chosen, folder):
        (folder / "secret").write_text("bench\n")
        self.file = folder / "ready"
        program = pathlib.Path(chosen.bin) / "signaling-server"
        options = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
        self.relays = "--relay-allow" in options
        self.command = [program, "--threads", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                        "--stun", f"{SERVER}:3478", "--ready-file", self.file, "--log-level", "warn", *chosen.extra]
        if self.relays:
            self.command += ["--turn-secret-file", folder / "secret", "--relay-allow", f"{PEER}/32"]

    def ready(self):
        return self.file.exists()


@contextlib.contextmanager
def running(kind, chosen):
    """A server of that kind: (itself, its process id, the file with its secret)."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="servers-bench-"))
    server = kind(chosen, folder)
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(pinned(SERVER_CORE, server.command), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 10
        while not server.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server.name} does not start: {(folder / 'output').read_text()}")
            time.sleep(0.01)
        yield server, process.pid, folder / "secret"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def load(chosen, program, pid, *options):
    """The figures that a generator prints."""
    command = [pathlib.Path(chosen.bin) / program, "--server", f"{SERVER}:3478", "--server-pid", pid,
               *options]
    done = subprocess.run(pinned(GENERATOR_CORE, command), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} ended with status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(kind, chosen, part):
    """The figures of one part on a server of its own; None: it has no relay."""
    where = ["--peer-address", PEER, "--client-address", CLIENT]
    with running(kind, chosen) as (server, pid, secret):
        if part == "binding":
            return load(chosen, "stun_load", pid, "--segmented", "--seconds", chosen.seconds)
        if not server.relays:
            return None
        extra = ["--hold", chosen.hold, "--seconds", 2] if part == "hold" else ["--segmented", "--seconds", chosen.seconds]
        return load(chosen, "turn_load", pid, "--secret-file", secret, *where, *extra)


def undisturbed(run):
    """Whether server or generator had its core to itself: one of them is the limit of a rate, so one is busy."""
    return max(run.get("server_busy", 0), run.get("generator_busy", 0)) >= BUSY


def median_of(runs):
    """One figure of several: the median of its value, what belongs to the run nearest to it, and the spread. Rates
    that something else on the machine has slowed don't count, unless all are; then the figure says so."""
    rate = runs[0]["name"].startswith(("Binding answers", "relayed "))
    sound = [run for run in runs if undisturbed(run)]
    disturbed = {"disturbed": True} if rate and not sound else {}
    runs = sound if rate and sound else runs
    value = statistics.median(run["value"] for run in runs)
    nearest = min(runs, key=lambda run: abs(run["value"] - value))
    values = [run["value"] for run in runs]
    return {**nearest, "value": value, **disturbed, **({"least": min(values), "most": max(values)} if len(runs) > 1 else {})}


def target(figure, coturn, own):
    """Adds what is to be reached, where coturn or the server itself has shown what that is."""
    name = figure["name"]
    theirs = coturn.get(name, {}).get("value")
    if name.startswith(("Binding answers", "relayed ")) and figure["unit"] == "1/s":
        figure["target"] = round(2 * theirs) if theirs else None
        if "there and back" not in name:
            figure["aim"] = 205_000 if name.startswith("Binding") else 450_000
    elif name.endswith("waiting client, p50"):
        figure["target"] = theirs and round(theirs, 1)
    elif name.startswith("memory"):
        figure["target"] = 1024
    elif name.startswith("latency") and "held" in name:
        alone = own.get(re.sub(r", \d+ held", ", alone", name), {}).get("value")
        figure["target"] = alone and round(1.5 * alone, 1)
    if figure["unit"] in ("us", "B"):
        figure["better"] = "lower"


def report(kind, figures, coturn):
    own = {figure["name"]: figure for figure in figures}
    for figure in figures:
        if kind is Ours:
            target(figure, coturn, own)
        print(json.dumps({**figure, "name": f"{kind.name}: {figure['name']}"}), flush=True)


def compare(chosen, part):
    """All rounds of a part, the servers in turns."""
    kinds = [kind for kind in (Coturn, Ours) if not chosen.server or kind.name in chosen.server]
    rounds = 1 if part == "hold" else chosen.rounds
    runs = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            figures = measure(kind, chosen, part)
            if figures is not None:
                runs[kind].append(figures)
    coturn = {}
    for kind in kinds:
        if not runs[kind]:
            print(json.dumps({"name": f"{kind.name}: {part} not measured, the server has no relay", "value": None,
                              "unit": "", "target": None}), flush=True)
            continue
        medians = [median_of(same) for same in zip(*runs[kind])]
        report(kind, medians, coturn)
        if kind is Coturn:
            coturn = {figure["name"]: figure for figure in medians}


def main():
    chosen = parse_arguments()
    missing = [program for program in ("turnserver", "ethtool", "ip", "taskset") if not shutil.which(program)]
    if missing:
        print(f"skipped: needs {', '.join(missing)}: scripts/deps bench", file=sys.stderr)
        return 77
    if os.environ.get(INSIDE) != "yes":
        enter_namespace()
    make_addresses()
    for part in chosen.part or ("binding", "relay", "hold"):
        compare(chosen, part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
