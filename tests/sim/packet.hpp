#pragma once

// What travels: a UDP datagram, a TCP segment as far as the simulator needs one, or the ICMP error
// that answers either.

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::sim {

enum class segment : std::uint8_t { none, syn, syn_ack, data, fin, reset };

struct packet {
  transport proto = transport::udp;
  endpoint source{}, destination{};
  bytes data{};
  std::uint8_t hop_limit = 64;
  // An ICMP port or host unreachable; source and destination are those of the refused packet,
  // swapped, so that routers translate it as they would an answer.
  bool unreachable = false;
  segment tcp = segment::none;
  std::uint64_t sequence = 0;  // TCP: counts segments of one direction
};

// Of the IP packet that would carry it.
[[nodiscard]] inline std::size_t wire_size(const packet& p) {
  return p.data.size() + (p.source.ip.v4 ? 20U : 40U) + (p.proto == transport::udp ? 8U : 20U);
}

}  // namespace nat::sim
