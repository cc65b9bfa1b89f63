"""The nftables ruleset of a router, as text. WAN side is interface `wan`, LAN side `lan`.

Kinds in RFC 4787's words:
  masquerade       mapping address-and-port-dependent in principle, endpoint-independent in effect
                   as long as the port is free towards each destination; filtering by address and port
  symmetric        mapping address-and-port-dependent, ports random
  restricted-cone  mapping endpoint-independent, filtering address-dependent
  full-cone        mapping endpoint-independent, filtering endpoint-independent
"""

import textwrap

# nftables cannot express "established" any other way than through connection tracking, which is
# also what makes the kernel drop a packet that matches no mapping of a masquerading router.
_CLIENT_PORTS = "1024-65535"


def _source_nat(kind, ports):
    if kind == "public":
        return []
    if kind == "symmetric":
        to = f" to :{ports}" if ports else ""
        return [f'oifname "wan" meta nfproto ipv4 meta l4proto {{ tcp, udp }} masquerade{to} fully-random',
                'oifname "wan" meta nfproto ipv4 masquerade']
    return ['oifname "wan" meta nfproto ipv4 masquerade']


def _destination_nat(kind, public, host):
    if kind == "full-cone":
        return [f'iifname "wan" ip daddr {public} udp dport {_CLIENT_PORTS} dnat ip to {host}']
    if kind == "restricted-cone":
        return [f'iifname "wan" ip daddr {public} ip saddr . udp dport @contacted '
                'dnat ip to udp dport map @owner']
    return []


def _hairpin(public):
    """RFC 4787, REQ-9: "external source IP address and port"."""
    return ([f'iifname "lan" ip daddr {public} meta l4proto udp meta mark set 1 '
             'dnat ip to udp dport map @owner'],
            [f'meta mark 1 snat ip to {public}'])


def _input(policy):
    verdict = {"open": "accept", "drop": "drop", "reject": "reject"}[policy]
    return ['iifname != "wan" accept',
            "ct state established,related accept",
            "meta l4proto { icmp, ipv6-icmp } accept",
            verdict]


def _forward(kind, udp, v6, remember):
    rules = []
    if udp == "blocked":
        rules.append("meta l4proto udp drop")
    if remember:
        rules += ['iifname "lan" meta nfproto ipv4 update @contacted { ip daddr . udp sport }',
                  'iifname "lan" meta nfproto ipv4 update @owner { udp sport : ip saddr }']
    rules.append("ct state established,related accept")
    if kind != "public":
        rules.append('iifname "wan" meta nfproto ipv4 ct status dnat accept')
        rules.append('iifname "wan" meta nfproto ipv4 drop')
    if v6 != "open":
        rules.append('iifname "wan" meta nfproto ipv6 drop')
    return rules


def _chain(name, hook, rules):
    lines = [f"chain {name} {{", f"  {hook}; policy accept;"]
    return lines + [f"  {rule}" for rule in rules] + ["}"]


def ruleset(kind, public, host, *, input="drop", udp="allowed", v6="off", hairpin=False, ports=""):
    """`public` is the router's own WAN address, `host` the first host of its LAN."""
    into, out = _destination_nat(kind, public, host), _source_nat(kind, ports)
    remember = hairpin or kind == "restricted-cone"
    lines = []
    if remember:
        lines += ["set contacted { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 2m; }",
                  "map owner { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 2m; }"]
    if hairpin:
        hairpin_into, hairpin_out = _hairpin(public)
        into, out = into + hairpin_into, hairpin_out + out
    lines += _chain("input", "type filter hook input priority filter", _input(input))
    lines += _chain("forward", "type filter hook forward priority filter",
                    _forward(kind, udp, v6, remember))
    lines += _chain("prerouting", "type nat hook prerouting priority dstnat", into)
    lines += _chain("postrouting", "type nat hook postrouting priority srcnat", out)
    return "table inet lab {\n" + textwrap.indent("\n".join(lines), "  ") + "\n}\n"
