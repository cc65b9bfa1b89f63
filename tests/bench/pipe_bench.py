#!/usr/bin/python3
"""A pipe between two peer-cli processes on loopback, 64 KiB writes: MB/s, and CPU of both ends a byte.

usage: pipe_bench.py BIN_DIRECTORY
"""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from signaling_server import Server

BIN = pathlib.Path(sys.argv[1])
BYTES = 1_000_000_000
BLOCK = bytes(65_536)


def cpu_of(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(process, name):
    for line in process.stderr:
        if line.startswith(b"{") and json.loads(line)["event"] == name:
            return
    raise SystemExit(f"peer-cli ended without '{name}'")


def measure(url):
    peer = [BIN / "peer-cli", "-s", url, "--bind", "127.0.0.1", "--json"]
    listener = subprocess.Popen([*peer, "--id", "sink", "listen"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(listener, "registered")
    sender = subprocess.Popen([*peer, "connect", "sink"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
    wait_for(sender, "secured")
    drain = subprocess.Popen(["/usr/bin/wc", "-c"], stdin=listener.stdout, stdout=subprocess.PIPE)
    began = time.monotonic()
    for _ in range(BYTES // len(BLOCK)):
        sender.stdin.write(BLOCK)
    sender.stdin.flush()
    cpu = cpu_of(sender) + cpu_of(listener)
    sender.stdin.close()
    sender.stdin = None
    if sender.wait(60) != 0 or listener.wait(60) != 0:
        raise SystemExit("the pipe failed")
    took = time.monotonic() - began
    arrived = int(drain.communicate()[0])
    if arrived != BYTES // len(BLOCK) * len(BLOCK):
        raise SystemExit(f"{arrived} bytes arrived")
    return arrived / took / 1e6, cpu * 1e9 / arrived


def main():
    with Server(BIN / "signaling-server") as server:
        runs = [measure(server.url) for _ in range(3)]
    best = max(runs)
    print(json.dumps({"name": "pipe between two processes, best of 3", "value": round(best[0], 1), "unit": "MB/s",
                      "target": 120}))
    print(json.dumps({"name": "pipe: CPU of both ends", "value": round(min(r[1] for r in runs), 2), "unit": "ns/byte",
                      "target": None}))


main()
