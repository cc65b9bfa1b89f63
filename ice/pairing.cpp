#include "ice/pairing.hpp"

#include <algorithm>

namespace nat::ice {
namespace {

constexpr std::uint32_t type_preference_mask = 0xFF00'0000;
constexpr std::uint32_t peer_reflexive_preference = 110;  // RFC 8445, 5.1.2.2
constexpr std::uint32_t behind_relay_preference = 1;      // above 0, which relayed candidates have

bool is_inner(const address& a) noexcept {
  return is_private(a) || is_loopback(a) || is_link_local(a);
}

// RFC 6544, 6.2: active meets passive, simultaneous-open its like. A passive door waits: its pairs
// are made by the checks that come in.
bool tcp_can_meet(const candidate& local, const candidate& remote) noexcept {
  const auto mine = local.tcp.value_or(tcp_type::active);
  const auto theirs = remote.tcp.value_or(tcp_type::passive);
  if (mine == tcp_type::active) return theirs == tcp_type::passive;
  return mine == tcp_type::simultaneous_open && theirs == tcp_type::simultaneous_open;
}

// The same /24 or /64, which says "same network" more often than not. The very same address says
// the opposite: each host has its own bridge of that name.
bool looks_near(const address& a, const address& b) noexcept {
  const std::size_t prefix = a.v4 ? 3 : 8;
  return a != b && std::equal(a.octets.begin(), a.octets.begin() + prefix, b.octets.begin());
}

}  // namespace

bool is_usable(const endpoint& e) noexcept {
  return e.port != 0 && !is_unspecified(e.ip) && !is_multicast(e.ip) && !is_link_local(e.ip) &&
         e.ip != make_v4(0xFFFF'FFFF);
}

bool can_pair(const door& local, const candidate& remote) noexcept {
  const auto& base = local.base.ip;
  const auto& there = remote.address.ip;
  if (local.proto != remote.proto || base.v4 != there.v4) return false;
  if (local.proto == transport::tcp && !local.relayed && !tcp_can_meet(local.best, remote)) {
    return false;
  }
  if (is_loopback(base) != is_loopback(there) && !local.relayed) return false;
  // coturn 4.6 closes the whole allocation when a peer's address has no route.
  return !(local.relayed && is_inner(there) && !is_inner(base));
}

pair_class class_of(const pair& p) noexcept {
  return static_cast<pair_class>((p.local.kind == candidate_kind::relayed ? 1U : 0U) |
                                 static_cast<unsigned>(p.remote.kind) << 1U |
                                 (p.via.remote.ip.v4 ? 8U : 0U) |
                                 (p.via.proto == transport::tcp ? 16U : 0U));
}

promise promise_of(const pair& p, bool door_is_mapped) noexcept {
  const auto& here = p.via.local.ip;
  const auto& there = p.via.remote.ip;
  unsigned likely = 1;
  if (looks_near(here, there)) {
    likely = 3;
  } else if (door_is_mapped && !is_inner(there)) {
    likely = 2;  // something answered through this door from afar
  } else if (here == there && !is_loopback(here)) {
    likely = 0;
  }
  return {static_cast<std::uint8_t>(likely), p.priority};
}

bool is_relayed(const candidate& c) noexcept {
  return c.kind == candidate_kind::relayed ||
         (c.kind == candidate_kind::peer_reflexive && c.priority >> 24U <= behind_relay_preference);
}

unsigned relays_of(const pair& p) noexcept {
  return (is_relayed(p.local) ? 1U : 0U) + (is_relayed(p.remote) ? 1U : 0U);
}

std::uint32_t check_priority(const candidate& local) noexcept {
  const auto preference =
      local.kind == candidate_kind::relayed ? behind_relay_preference : peer_reflexive_preference;
  return preference << 24U | (local.priority & ~type_preference_mask);
}

}  // namespace nat::ice
