"""The commands that build a lab: one shell script per namespace, run in order.

    host a ── a-router ──[delay]── core ──[delay]── b-router ── host b
                                   │  └──[delay]── signal   (signaling server)
                                   └─────[delay]── stun     (STUN and TURN)

A packet with a TTL of 2 dies at the core, between the two NATs. Every delayed cable runs through
namespace `wire`, where lab_wire forwards its frames. Neighbour entries on those cables and towards
a site's router are permanent, so that no address resolution adds a round trip to a measurement.
"""

import dataclasses

from . import nat
from .addresses import CORE, CORE6, SERVERS, SiteAddresses, lan_mac, mac


@dataclasses.dataclass
class Plan:
    sites: list
    scripts: dict = dataclasses.field(default_factory=dict)  # namespace -> lines of shell
    cables: list = dataclasses.field(default_factory=list)   # arguments of lab_wire
    hosts: dict = dataclasses.field(default_factory=dict)    # host name -> what `status` shows

    def build_order(self):
        """Who makes an interface in another namespace comes before its owner."""
        def rank(namespace):
            if namespace == "wire":
                return 0
            if namespace in self.hosts:
                return 1
            return 2 if namespace.endswith("-carrier") else 3
        return sorted(self.scripts, key=rank)

    def add(self, namespace, *lines):
        self.scripts.setdefault(namespace, []).extend(lines)


def make_plan(sites, delays=None):
    """`delays` replaces a server's one-way milliseconds: {"signal": 20}."""
    plan = Plan(list(sites))
    plan.add("wire", *_sysctls({"ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1}))
    plan.add("core", *_namespace(v6=True), *_forwarding(),
             f"ip addr add {CORE}/32 dev lo", f"ip addr add {CORE6}/128 dev lo")
    link = 0
    for n, site in enumerate(sites, 1):
        link += 1
        _add_site(plan, SiteAddresses(n, site), link)
    for server in SERVERS:
        link += 1
        _add_server(plan, server, (delays or {}).get(server.name, server.delay), link)
    return plan


def _sysctls(values):
    return [f"echo {value} > /proc/sys/net/{name}" for name, value in values.items()]


def _namespace(v6):
    off = 0 if v6 else 1
    return _sysctls({"ipv6/conf/all/disable_ipv6": off, "ipv6/conf/default/disable_ipv6": off,
                     "ipv6/conf/lo/disable_ipv6": 0, "ipv6/conf/default/accept_ra": 0,
                     "ipv6/conf/default/accept_dad": 0}) + ["ip link set lo up"]


def _forwarding():
    return _sysctls({"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1})


def _add_cable(plan, link, namespace, core_end, delay, loss=0.0, rate=0):
    """A delayed cable from interface `wan` of `namespace` to interface `core_end` of the core."""
    plan.add("wire",
             f"ip link add w{link}s type veth peer name r{link}s",
             f"ip link add w{link}c type veth peer name r{link}c",
             f'"$LAB_WIRE" --plain w{link}s r{link}s w{link}c r{link}c',
             f"ip link set r{link}s netns {namespace} name wan address {mac(link, 1)}",
             f"ip link set r{link}c netns core name {core_end} address {mac(link, 2)}",
             f"ip link set w{link}s up", f"ip link set w{link}c up")
    plan.cables.append(f"w{link}s:w{link}c:{round(delay * 1000)}:{loss}:{rate}")


def _wan(link, addresses, v6=True):
    """The far end of a cable to the core: our addresses, and the core as the way to all else."""
    lines = [f"ip addr add {address}/32 dev wan" for address in addresses]
    lines += ["ip link set wan up",
              f"ip neigh replace {CORE} lladdr {mac(link, 2)} dev wan nud permanent",
              f"ip route add {CORE}/32 dev wan",
              f"ip route add default via {CORE} dev wan"]
    if v6:
        lines += ["ip -6 addr replace fe80::2/64 dev wan nodad",
                  f"ip -6 neigh replace fe80::1 lladdr {mac(link, 2)} dev wan nud permanent",
                  "ip -6 route add default via fe80::1 dev wan"]
    return lines


def _core_end(plan, link, name, addresses, prefix6=None):
    plan.add("core", f"ip link set {name} up")
    for address in addresses:
        plan.add("core", f"ip neigh replace {address} lladdr {mac(link, 1)} dev {name} nud permanent",
                 f"ip route add {address}/32 dev {name} src {CORE}")
    if prefix6:
        plan.add("core", f"ip -6 addr replace fe80::1/64 dev {name} nodad",
                 f"ip -6 neigh replace fe80::2 lladdr {mac(link, 1)} dev {name} nud permanent",
                 f"ip -6 route add {prefix6} via fe80::2 dev {name}")


def _add_server(plan, server, delay, link):
    plan.add(server.name, *_namespace(v6=True))
    end = f"to-{server.name}"
    _add_cable(plan, link, server.name, end, delay)
    plan.add(server.name, *_wan(link, [server.address, server.second]),
             f"ip -6 addr add {server.address6}/128 dev wan nodad")
    _core_end(plan, link, end, [server.address, server.second], server.address6 + "/128")


def _add_site(plan, where, link):
    site = where.site
    router, end = f"{site.name}-router", f"to-{site.name}"
    outer = f"{site.name}-carrier" if site.double != "off" else router
    for namespace in dict.fromkeys((router, outer)):
        plan.add(namespace, *_namespace(v6=site.v6 != "off"), *_forwarding())
    _add_cable(plan, link, outer, end, site.delay, site.loss, site.rate)
    _core_end(plan, link, end, where.publics(), f"{where.prefix6}::/48" if site.v6 != "off" else None)

    # A router without NAT has an address of its own, from which its ICMP errors come.
    public = where.gateway if site.kind == "public" else where.public()
    v6 = site.v6 != "off"
    if outer == router:
        plan.add(router, *_wan(link, [] if site.kind == "public" else [public], v6))
        router_public = public
    else:
        plan.add(outer, *_wan(link, [public], v6))
        router_public = f"{where.carrier}.2"
        _add_carrier(plan, where, router, outer)
    plan.add(router, "ip link add lan type bridge")
    for i, name in enumerate(site.host_names()):
        plan.add(router, f"ip link set port{i} master lan up")
        _add_host(plan, where, i, name)
    _add_lan(plan, where, router)
    ruleset = nat.ruleset(site.kind, router_public, where.host(), input=site.input, udp=site.udp,
                          v6=site.v6, hairpin=site.hairpin, ports=site.ports)
    plan.add(router, _load_ruleset(ruleset))


def _add_carrier(plan, where, router, outer):
    """A second NAT outside the site's own. The cable between the two has no delay."""
    plan.add(outer,
             f"ip link add lan type veth peer name wan netns {router}",
             f"ip addr add {where.carrier}.1/24 dev lan", "ip link set lan up")
    plan.add(router,
             f"ip addr add {where.carrier}.2/24 dev wan", "ip link set wan up",
             f"ip route add default via {where.carrier}.1")
    if where.site.v6 != "off":
        plan.add(outer, "ip -6 addr replace fe80::a/64 dev lan nodad",
                 f"ip -6 route add {where.prefix6}::/48 via fe80::b dev lan")
        plan.add(router, "ip -6 addr replace fe80::b/64 dev wan nodad",
                 "ip -6 route add default via fe80::a dev wan")
    # Whoever is behind a carrier's NAT may as well not filter there: the site's own router does.
    ruleset = nat.ruleset(where.site.double, where.public(), f"{where.carrier}.2", v6="open")
    plan.add(outer, _load_ruleset(ruleset))


def _add_lan(plan, where, router):
    # Up after its ports: a bridge that comes up without a live port drops what it sends until the
    # kernel's link watcher has run, up to a second later.
    mask = 32 if where.site.kind == "public" else 24
    # Where the machine has br_netfilter, a bridge would forward by itself what the router translates back
    # to the LAN, and drop what goes out by the port that it came in by: a hairpin to one's own host.
    plan.add(router, "for file in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do",
             '  if [ -e "$file" ]; then echo 0 > "$file"; fi', "done")
    plan.add(router, f"ip link set lan address {lan_mac(where.n)} up", f"ip addr add {where.gateway}/{mask} dev lan")
    if where.site.kind == "public":
        plan.add(router, *(f"ip route add {where.host(i)}/32 dev lan" for i in range(where.site.hosts)))
    plan.add(router, *(f"ip neigh replace {where.host(i)} lladdr {lan_mac(where.n, i)} dev lan nud permanent"
                       for i in range(where.site.hosts)))
    if where.site.v6 != "off":
        plan.add(router, f"ip -6 addr add {where.prefix6}::1/64 dev lan nodad")


def _add_host(plan, where, i, name):
    site, address = where.site, where.host(i)
    router = f"{site.name}-router"
    plan.add(name, *_namespace(v6=site.v6 != "off"),
             f"ip link add eth0 type veth peer name port{i} netns {router}",
             f"ip link set eth0 address {lan_mac(where.n, i)} up")
    if site.kind == "public":
        plan.add(name, f"ip addr add {address}/32 dev eth0", f"ip route add {where.gateway}/32 dev eth0")
    else:
        plan.add(name, f"ip addr add {address}/24 dev eth0")
    plan.add(name, f"ip route add default via {where.gateway} dev eth0",
             f"ip neigh replace {where.gateway} lladdr {lan_mac(where.n)} dev eth0 nud permanent")
    if site.v6 != "off":
        plan.add(name, f"ip -6 addr add {where.host6(i)}/64 dev eth0 nodad",
                 f"ip -6 route add default via {where.prefix6}::1")
    for bridge in range(site.bridges):
        plan.add(name, *_dead_bridge(bridge))
    plan.hosts[name] = {"site": site.name, "kind": site.kind, "address": address,
                        "public": where.public(i),
                        "address6": where.host6(i) if site.v6 != "off" else None}


def _dead_bridge(i):
    """Up, with carrier and an address, and nothing behind it: what Docker leaves on a host."""
    return [f"ip link add br-{i} type bridge", f"ip link add dead{i} type veth peer name dead{i}p",
            f"ip link set dead{i} master br-{i} up", f"ip link set dead{i}p up",
            f"ip addr add 172.{17 + i}.0.1/16 dev br-{i}", f"ip link set br-{i} up"]


def _load_ruleset(text):
    return f"nft -f - <<'RULES'\n{text}RULES"
