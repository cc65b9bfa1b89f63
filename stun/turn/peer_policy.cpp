#include "stun/turn/peer_policy.hpp"

#include <algorithm>

#include "protocol/base/ensure.hpp"

namespace nat::turn {
namespace {

constexpr std::string_view refused_ranges[] = {
    // IANA IPv4 Special-Purpose Address Registry (RFC 6890)
    "0.0.0.0/8",        // this network, unspecified
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // shared, carrier-grade NAT
    "127.0.0.0/8",      // loopback
    "169.254.0.0/16",   // link-local, and the clouds' metadata services
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.88.99.0/24",   // 6to4 relay anycast
    "192.168.0.0/16",   // private
    "198.18.0.0/15",    // benchmark
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, broadcast
    // IANA IPv6 Special-Purpose Address Registry
    "::/96",          // unspecified, loopback, IPv4-compatible
    "::ffff:0:0/96",  // IPv4-mapped
    "64:ff9b::/96",   // NAT64
    "64:ff9b:1::/48",
    "100::/64",       // discard
    "2001::/23",      // protocol assignments: Teredo (2001::/32), benchmark, ORCHID
    "2001:db8::/32",  // documentation
    "2002::/16",      // 6to4
    "3fff::/20",      // documentation
    "5f00::/16",      // segment routing
    "fc00::/7",       // unique-local
    "fe80::/10",      // link-local
    "fec0::/10",      // site-local, deprecated
    "ff00::/8",       // multicast
};

bool any_contains(std::span<const prefix> prefixes, const address& a) noexcept {
  return std::ranges::any_of(prefixes, [&](const prefix& p) { return p.contains(a); });
}

}  // namespace

std::span<const prefix> refused_by_default() {
  static const auto parsed = [] {
    std::vector<prefix> out;
    for (const auto text : refused_ranges) {
      const auto p = parse_prefix(text);
      ensure(p.has_value());
      out.push_back(*p);
    }
    return out;
  }();
  return parsed;
}

peer_policy::verdict peer_policy::judge(const address& peer) const noexcept {
  if (any_contains(deny, peer)) return verdict::refused;
  if (std::ranges::find(own, peer) != own.end()) {
    const prefix itself{peer, peer.v4 ? 32U : 128U};
    if (std::ranges::find(allow, itself) != allow.end()) return verdict::allowed;
    const bool relays = std::ranges::find(relaying, peer) != relaying.end();
    if (is_loopback(peer) && !relays && !any_contains(allow, peer)) return verdict::refused;
    return verdict::own;
  }
  if (any_contains(allow, peer)) return verdict::allowed;
  return any_contains(refused_by_default(), peer) ? verdict::refused : verdict::allowed;
}

}  // namespace nat::turn
