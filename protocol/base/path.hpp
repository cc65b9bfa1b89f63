#pragma once

// Where a datagram goes or came from, and a datagram that wants to go.

#include <cstdint>
#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat {

// `local` names the door: the bound address of a host socket, or a relayed address (then the
// allocation that owns it wraps what is sent). For tcp, (local, remote) names one connection.
struct path {
  transport proto = transport::udp;
  endpoint local;
  endpoint remote;
  auto operator<=>(const path&) const = default;
};

// One datagram, or several of equal size (the last may be shorter) back to back when
// `segment_size` is not zero: a driver hands those to the kernel in one call (UDP_SEGMENT).
struct transmit {
  path via;
  bytes data;
  std::uint16_t segment_size = 0;
  // A TTL or hop limit for this datagram alone: an opener that must not arrive.
  std::optional<std::uint8_t> hop_limit;
};

}  // namespace nat
