"""What a site is: `a=masquerade,input=open,bridges=3` parsed into a Site."""

import dataclasses
import re

KINDS = {
    "public": "no NAT: the host has a public address",
    "masquerade": "Linux's usual NAT: keeps the port, filters by address and port",
    "symmetric": "a random port for every destination, filters by address and port",
    "restricted-cone": "keeps the port, lets in any port of an address once contacted",
    "full-cone": "keeps the port, lets everyone in (static 1:1 forwarding to the first host)",
}

OPTIONS = {
    "input": ("open, drop or reject (drop)",
              "what the router does with packets addressed to itself; 'open' is the Linux router "
              "that answers a peer's early check and spoils its own mapping"),
    "udp": ("allowed or blocked (allowed)", "a firewall that lets no UDP through"),
    "bridges": ("0 to 16 (0)", "dead Docker-like bridges on each host, 172.17.0.1/16 and up"),
    "v6": ("off, open or firewall (off)",
           "global IPv6, unfiltered or behind a stateful firewall"),
    "double": ("off, masquerade or symmetric (off)", "a carrier's NAT outside the site's own"),
    "hairpin": ("on or off (off)", "two hosts of the site reach each other by public addresses"),
    "ports": ("LOW-HIGH (all)", "the block that a symmetric NAT takes its ports from"),
    "hosts": ("1 to 5 (1)", "hosts on the site's LAN: a, a2, a3 …"),
    "lan": ("10.0.N", "the first three numbers of the LAN's addresses"),
    "wan": ("203.0.113", "the first three numbers of the public address"),
    "delay": ("milliseconds (10)", "one way between the site and the core"),
    "loss": ("percent (0)", "loss in each direction of that link"),
    "rate": ("kbit/s (unlimited)", "rate of that link, each direction"),
}

RESERVED = {"core", "wire", "signal", "stun"}


class SpecError(ValueError):
    """A --site that cannot be read; the text completes "failed to …"."""


@dataclasses.dataclass(frozen=True)
class Site:
    name: str
    kind: str
    input: str = "drop"
    udp: str = "allowed"
    bridges: int = 0
    v6: str = "off"
    double: str = "off"
    hairpin: bool = False
    ports: str = ""
    hosts: int = 1
    lan: str = ""
    wan: str = "203.0.113"
    delay: float = 10.0
    loss: float = 0.0
    rate: int = 0

    def host_names(self):
        return [self.name if i == 0 else f"{self.name}{i + 1}" for i in range(self.hosts)]


def _choice(*words):
    def read(text):
        if text not in words:
            raise ValueError(f"want one of {', '.join(words)}")
        return text
    return read


def _number(low, high, kind=int):
    def read(text):
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(f"want {low} to {high}")
        return value
    return read


def _pattern(expression, want):
    def read(text):
        if not re.fullmatch(expression, text):
            raise ValueError(f"want {want}")
        return text
    return read


_READERS = {
    "input": _choice("open", "drop", "reject"),
    "udp": _choice("allowed", "blocked"),
    "bridges": _number(0, 16),
    "v6": _choice("off", "open", "firewall"),
    "double": _choice("off", "masquerade", "symmetric"),
    "hairpin": lambda text: _choice("on", "off")(text) == "on",
    "ports": _pattern(r"\d{1,5}-\d{1,5}", "LOW-HIGH"),
    "hosts": _number(1, 5),
    "lan": _pattern(r"\d{1,3}\.\d{1,3}\.\d{1,3}", "three numbers, such as 192.168.1"),
    "wan": _pattern(r"\d{1,3}\.\d{1,3}\.\d{1,3}", "three numbers, such as 44.128.1"),
    "delay": _number(0, 3_600_000, float),
    "loss": _number(0, 100, float),
    "rate": _number(0, 100_000_000),
}


def parse_site(text):
    name, equals, rest = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z][a-z0-9-]{0,8}", name) or name in RESERVED:
        raise SpecError(f"read site '{text}': want NAME=KIND[,OPTION=VALUE…], NAME of up to nine "
                        f"letters, digits or '-' and none of {', '.join(sorted(RESERVED))}")
    kind, *options = rest.split(",")
    if kind not in KINDS:
        raise SpecError(f"read site '{text}': '{kind}' is none of {', '.join(KINDS)}")
    values = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in _READERS:
            raise SpecError(f"read site '{text}': '{key}' is none of {', '.join(_READERS)}")
        try:
            values[key] = _READERS[key](value)
        except ValueError as error:
            raise SpecError(f"read site '{text}': {key}={value}: {error}") from None
    return Site(name, kind, **values)


def parse_sites(texts):
    sites = [parse_site(text) for text in texts]
    names = [host for site in sites for host in site.host_names()]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"use the name '{name}' for two hosts")
    if len(sites) > 24:
        raise SpecError("build more than 24 sites")
    return sites
