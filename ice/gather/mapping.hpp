#pragma once

// How the NAT in front of a socket maps it, as far as the answers of STUN servers tell: RFC 4787,
// 4.1. The full test is RFC 5780's; this one costs nothing, because all servers are asked anyway.

#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/base/endpoint.hpp"

namespace nat::ice {

struct mapping_observation {
  endpoint base, server, mapped;
  bool operator==(const mapping_observation&) const = default;
};

enum class mapping_kind : std::uint8_t {
  unknown,      // fewer than two servers have answered
  none,         // every server saw the base itself: no NAT
  independent,  // every server saw the same address and port
  dependent,    // they differ ("symmetric")
};

// `base`: of which socket.
[[nodiscard]] mapping_kind classify_mapping(std::span<const mapping_observation>,
                                            const endpoint& base) noexcept;
[[nodiscard]] std::string_view to_string(mapping_kind) noexcept;

}  // namespace nat::ice
