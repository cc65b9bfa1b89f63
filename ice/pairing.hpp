#pragma once

// Which candidates make a pair, which pairs are of a kind, and which of a kind is tried first:
// RFC 8445, 6.1.2.2 to 6.1.2.5, RFC 6544, 6.2, with a different order and a different way to prune
// (README, "Order").

#include <cstdint>

#include "ice/local_candidates.hpp"
#include "ice/pair.hpp"

namespace nat::ice {

// False where no packet could arrive: different families or transports, loopback to elsewhere, a
// public relay towards private addresses, TCP ends that can't meet.
[[nodiscard]] bool can_pair(const door& local, const candidate& remote) noexcept;

// A candidate that any datagram could be sent to.
[[nodiscard]] bool is_usable(const endpoint&) noexcept;

// Pairs that fail or work for the same reasons: (local relayed or not, remote kind, family, proto).
using pair_class = std::uint8_t;
inline constexpr std::size_t pair_classes = 32;
[[nodiscard]] pair_class class_of(const pair&) noexcept;

// Within one class: the larger is tried first. A guess at the likelihood, then the priority.
struct promise {
  std::uint8_t likely;
  std::uint64_t priority;
  auto operator<=>(const promise&) const = default;
};
[[nodiscard]] promise promise_of(const pair&, bool door_is_mapped) noexcept;

// Also true for a peer-reflexive candidate whose PRIORITY says so (check_priority).
[[nodiscard]] bool is_relayed(const candidate&) noexcept;
// How many relays data on this pair would cross: 0 to 2.
[[nodiscard]] unsigned relays_of(const pair&) noexcept;

// The PRIORITY attribute of our checks (RFC 8445, 7.1.1): the door's priority with the type
// preference of peer-reflexive candidates. From a relayed door with a preference below every direct
// kind: what the peer learns from such a check is a relay, and must not outrank a direct path.
[[nodiscard]] std::uint32_t check_priority(const candidate& local) noexcept;

}  // namespace nat::ice
