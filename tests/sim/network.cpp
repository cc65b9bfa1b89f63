#include "tests/sim/network.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"

namespace nat::sim {
namespace {

// What a lost TCP segment costs: its sender's retransmission timeout.
constexpr duration tcp_retransmission = std::chrono::milliseconds{200};
constexpr int tcp_most_losses = 8;

}  // namespace

network::network(fabric& f, prefixes p, unsigned hops)
    : transit_hops(hops), fabric_(f), prefixes_(p) {}

address network::next_v4() {
  ensure(next_host_ < 255);
  return make_v4(prefixes_.v4 + next_host_++);
}

address network::next_v6() {
  address a{.v4 = false};
  store_be(byte_span(a.octets), 0, std::uint32_t{0x20010db8});
  store_be(byte_span(a.octets), 4, prefixes_.v6);
  store_be(byte_span(a.octets), 12, next_host_v6_++);
  return a;
}

void network::attach(port& p, const address& a) {
  ensure(attached_.emplace(a, &p).second);
}

void network::detach(const address& a) {
  attached_.erase(a);
}

bool network::send(port& from, packet p) {
  const auto at = attached_.find(p.destination.ip);
  port* to = at != attached_.end() ? at->second : gateway_;
  ++fabric_.counters.sent;
  if (to == nullptr || to == &from) {
    ++fabric_.counters.no_route;
    return false;
  }
  if (fabric_.capture) fabric_.capture->add(p, fabric_.now);
  if (drops && drops(p)) {
    ++fabric_.counters.lost;
  } else {
    carry(from, *to, std::move(p));
  }
  return true;
}

void network::carry(port& from, port& to, packet p) {
  if (p.hop_limit <= transit_hops) {
    ++fabric_.counters.hop_limit;
    return;
  }
  p.hop_limit = static_cast<std::uint8_t>(p.hop_limit - transit_hops);
  if (p.proto == transport::udp && wire_size(p) > std::min(from.link.mtu, to.link.mtu)) {
    ++fabric_.counters.too_big;
    return;
  }
  const bool twice = p.proto == transport::udp && (fabric_.chance.happens(from.link.duplicate) ||
                                                   fabric_.chance.happens(to.link.duplicate));
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    const auto up = cross(from.link, p), down = cross(to.link, p);
    if (!from.up || !to.up || !up || !down) {
      ++fabric_.counters.lost;
      continue;
    }
    fabric_.at(fabric_.now + *up + *down, [&to, p]() mutable { to.receive(std::move(p)); });
  }
}

// How long the link takes, or nothing where the packet is lost on it.
std::optional<duration> network::cross(const link_rules& link, const packet& p) {
  auto took = link.delay;
  if (link.jitter > duration::zero()) {
    took += duration{static_cast<duration::rep>(
        fabric_.chance.below(static_cast<std::uint64_t>(link.jitter.count())))};
  }
  if (fabric_.chance.happens(link.reorder)) took += link.reorder_delay;
  if (p.proto == transport::udp) {
    return fabric_.chance.happens(link.loss) ? std::nullopt : std::optional{took};
  }
  for (int losses = 0; fabric_.chance.happens(link.loss); ++losses) {
    if (losses == tcp_most_losses) return std::nullopt;
    took += tcp_retransmission;
  }
  return took;
}

}  // namespace nat::sim
