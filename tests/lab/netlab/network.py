"""A lab that stands: programs, sockets and cut paths in the namespaces of a plan.

REQUIRES: isolate.enter() has returned, so that all of this is private to this process tree.
"""

import ctypes
import os
import signal
import socket
import subprocess
import time

from . import isolate, programs
from .addresses import CORE, SERVERS
from .plan import make_plan

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class LabError(RuntimeError):
    """Text that completes "failed to …"."""


class Network:
    def __init__(self, sites, delays=None):
        self.plan = make_plan(sites, delays)
        self.processes, self._namespaces = [], list(self.plan.scripts)
        os.environ["PATH"] = isolate.path_with_sbin()
        self._environment = {**os.environ, "LAB_WIRE": programs.wire()}
        self._build()
        self._wire = self.start("wire", [programs.wire(), *self.plan.cables], stdout=subprocess.PIPE)
        if self._wire.stdout.readline() != b"ready\n":
            raise LabError("start the cables (lab_wire)")
        for site in self.plan.sites:
            for host in site.host_names():
                self._wait_for_path(host, site)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _build(self):
        order = self.plan.build_order()
        batch = "".join(f"netns add {namespace}\n" for namespace in order)
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        for namespace in order:
            script = "set -e\n" + "\n".join(self.plan.scripts[namespace]) + "\n"
            done = subprocess.run(self.command(namespace, ["sh", "-s"]), input=script, text=True,
                                  capture_output=True, env=self._environment)
            if done.returncode != 0:
                raise LabError(f"build namespace {namespace}: {done.stderr.strip()}")

    def _wait_for_path(self, host, site):
        """Until the core refuses a TCP connection: interfaces take up to a second to pass frames."""
        if site.delay > 200 or site.loss > 50:
            return
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self.inside(host, socket.socket) as probe:
                probe.settimeout(2 * site.delay / 1000 + 0.05)
                try:
                    probe.connect((CORE, 9))
                except ConnectionRefusedError:
                    return
                except OSError:
                    continue
        raise LabError(f"reach the core from {host}")

    # Programs -----------------------------------------------------------------------------------

    def command(self, namespace, argv):
        return ["nsenter", f"--net=/run/netns/{namespace}", "--", *argv]

    def start(self, namespace, argv, **options):
        """A Popen of the program itself: its pid and exit status are the program's own."""
        process = subprocess.Popen(self.command(namespace, argv), **options)
        self.processes.append(process)
        return process

    def run(self, namespace, argv, **options):
        return subprocess.run(self.command(namespace, argv), **options)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        names = "".join(f"netns del {namespace}\n" for namespace in self._namespaces)
        subprocess.run(["ip", "-batch", "-"], input=names, text=True, check=True)

    def add_namespace(self, name):
        """One that is in no plan."""
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._namespaces.append(name)

    # Sockets ------------------------------------------------------------------------------------

    def udp_socket(self, namespace, address="0.0.0.0", port=0):
        """A UDP socket of this process inside a namespace, bound, with a time limit of 3 s."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self.inside(namespace, lambda: socket.socket(family, socket.SOCK_DGRAM))
        made.bind((address, port))
        made.settimeout(3)
        return made

    def inside(self, namespace, action):
        """Calls action() with this thread in the namespace. Sockets stay where they were made."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            _set_namespace(there)
            return action()
        finally:
            _set_namespace(home)
            os.close(there)
            os.close(home)

    # Paths --------------------------------------------------------------------------------------

    def cut(self, a, b):
        """The core drops all packets between two public addresses. The relay stays reachable."""
        a, b = self.public(a), self.public(b)
        self.nft("core", "add table inet cuts",
                 "add chain inet cuts forward { type filter hook forward priority 0; }",
                 f"add rule inet cuts forward ip saddr {a} ip daddr {b} drop",
                 f"add rule inet cuts forward ip saddr {b} ip daddr {a} drop")

    def heal(self):
        self.nft("core", "add table inet cuts", "delete table inet cuts")

    def nft(self, namespace, *commands):
        self.run(namespace, ["nft", "-f", "-"], input="\n".join(commands) + "\n", text=True, check=True)

    def public(self, host):
        for server in SERVERS:
            if server.name == host:
                return server.address
        return self.plan.hosts[host]["public"]

    def address(self, host):
        return self.plan.hosts[host]["address"] if host in self.plan.hosts else self.public(host)

    def hosts(self):
        return list(self.plan.hosts)


def _set_namespace(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
