"""Who has which address. All public ones are documentation addresses (RFC 5737, RFC 3849), unless a
site's `wan` says otherwise."""

import dataclasses

CORE = "192.0.2.1"
CORE6 = "2001:db8::1"


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    address: str
    address6: str
    delay: float  # milliseconds one way to the core
    what: str
    second: str = ""  # RFC 5780 asks for two addresses


# With 10 ms between a site and the core: 40 ms round trip between peers, 30 ms to STUN and TURN,
# and 20 ms one way from peer to peer through the signaling server.
SERVERS = (
    Server("signal", "198.51.100.10", "2001:db8:100::10", 0.0, "signaling server", "198.51.100.11"),
    Server("stun", "198.51.100.20", "2001:db8:100::20", 5.0, "STUN and TURN (coturn)", "198.51.100.21"),
)


@dataclasses.dataclass(frozen=True)
class SiteAddresses:
    """Site number `n`, counted from 1."""

    n: int
    site: object

    def public(self, host=0):
        """What the world sees: the NAT's one address, or each host's own where there is none."""
        return f"{self.site.wan}.{10 * self.n + (host if self.site.kind == 'public' else 0)}"

    def host(self, host=0):
        return self.public(host) if self.site.kind == "public" else f"{self.lan}.{10 + host}"

    def host6(self, host=0):
        return f"{self.prefix6}::{10 + host:x}"

    @property
    def lan(self):
        return self.site.lan or f"10.0.{self.n}"

    @property
    def gateway(self):
        """The router's address on the LAN."""
        return f"192.0.2.{100 + self.n}" if self.site.kind == "public" else f"{self.lan}.1"

    @property
    def prefix6(self):
        return f"2001:db8:{self.n}"

    @property
    def carrier(self):
        """The shared address space (RFC 6598) between the site's NAT and the carrier's."""
        return f"100.64.{self.n}"

    def publics(self):
        return [self.public(i) for i in range(self.site.hosts if self.site.kind == "public" else 1)]


def mac(link, end):
    """Of a cable to the core."""
    return f"02:00:00:00:{link:02x}:{end:02x}"


def lan_mac(n, host=None):
    """Of a host on site number n, or of that site's router."""
    return f"02:00:00:01:{n:02x}:{0 if host is None else host + 1:02x}"
