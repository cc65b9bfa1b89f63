"""Debian's miniupnpd on a site's router: port mapping by PCP, NAT-PMP and UPnP IGD.

It refuses to map on an address that is not public, documentation addresses included. So a site
that runs it has `wan=44.128.0`: of the amateur radio network's test block, which is nowhere
routed, and stays in the lab's namespaces like everything else.
"""

import os
import re
import shutil
import signal
import subprocess

from . import services
from .peers import LOG_FOLDER, new_id

TABLE = "lab"
CHAINS = ("miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd")


class Miniupnpd:
    """`pcp` switches PCP and NAT-PMP over IPv4, which are one socket; `upnp` the rest; `igd1` has it
    describe itself as version 1. `more`: further lines of its configuration."""

    def __init__(self, lab, site, pcp=True, upnp=True, igd1=False, **more):
        self.lab, self.router = lab, f"{site}-router"
        program = shutil.which("miniupnpd")
        if not program:
            raise FileNotFoundError("no miniupnpd here: apt-get install miniupnpd-nftables")
        folder = os.path.join(LOG_FOLDER, new_id("miniupnpd"))
        os.makedirs(folder)
        self._make_chains()
        v6 = lab.plan.hosts[site]["address6"] is not None
        options = {
            "ext_ifname": "wan", "listening_ip": "lan", "port": 5000, "secure_mode": "yes",
            "enable_natpmp": _yes(pcp), "enable_upnp": _yes(upnp), "force_igd_desc_v1": _yes(igd1),
            "min_lifetime": 120, "max_lifetime": 86400, "system_uptime": "no",
            "clean_ruleset_interval": 0, "notify_interval": 30, "ipv6_disable": _yes(not v6),
            "upnp_table_name": TABLE, "upnp_nat_table_name": TABLE, "upnp_forward_chain": CHAINS[0],
            "upnp_nat_chain": CHAINS[1], "upnp_nat_postrouting_chain": CHAINS[2],
            "uuid": f"00000000-0000-4000-8000-{abs(hash(site)) % 10 ** 12:012}"}
        if v6:
            options["ext_ifname6"] = "wan"
        options |= more
        configuration = os.path.join(folder, "miniupnpd.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in options.items())
            file.write("allow 1024-65535 0.0.0.0/0 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n")
        self.log_path = os.path.join(folder, "log")
        self._command = [program, "-d", "-f", configuration, "-P", os.path.join(folder, "pid")]
        self._start("Listening for NAT-PMP/PCP" if pcp else "HTTP listening")

    def _start(self, last_word):
        self._last_word = last_word
        with open(self.log_path, "wb") as log:
            self.process = self.lab.start(self.router, self._command, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        try:
            services.wait_until(lambda: last_word in self.log(), self.process, "miniupnpd")
        except RuntimeError as reason:
            raise RuntimeError(f"{reason}: {self.log().strip()[-500:]}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it and takes its rules away. SIGTERM leaves both to the next one."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.lab.nft(self.router, *(f"flush chain inet {TABLE} {chain}" for chain in CHAINS))

    def restart(self):
        """As a power cut does: what it has mapped is gone, and its epoch begins again."""
        self.stop()
        self._start(self._last_word)

    def announce(self):
        """Has it tell all hosts that its address or state has changed (RFC 6887, 14.1)."""
        self.process.send_signal(signal.SIGUSR1)

    def _make_chains(self):
        lines = [f"add chain inet {TABLE} {chain}" for chain in CHAINS]
        listed = self.lab.run(self.router, ["nft", "list", "table", "inet", TABLE],
                              capture_output=True, text=True, check=True).stdout
        for chain, base in zip(CHAINS, ("forward", "prerouting", "postrouting")):
            if f"jump {chain}\n" not in listed:
                lines.append(f"insert rule inet {TABLE} {base} jump {chain}")
        self.lab.nft(self.router, *lines)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def rules(self, chain=CHAINS[1]):
        """The rules it has made: of mappings, or with CHAINS[0] of what may be forwarded."""
        listed = self.lab.run(self.router, ["nft", "list", "chain", "inet", TABLE, chain],
                              capture_output=True, text=True, check=True).stdout
        return [line.strip() for line in listed.splitlines()
                if re.search(r"\b(dnat|accept)\b", line)]


def _yes(value):
    return "yes" if value else "no"
