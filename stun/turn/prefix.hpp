#pragma once

// An address prefix (CIDR, RFC 4632 and 4291), and whether an address lies in it. IPv4 and IPv6
// never match each other: an IPv4 address inside an IPv6 one is an IPv6 address here.

#include <optional>
#include <string_view>

#include "protocol/base/endpoint.hpp"

namespace nat::turn {

struct prefix {
  address base;
  unsigned bits = 0;  // of the address's own 32 or 128
  bool operator==(const prefix&) const = default;

  [[nodiscard]] bool contains(const address&) const noexcept;
};

// "192.0.2.0/24", "2001:db8::/32", or an address alone. Bits behind the prefix must be zero.
[[nodiscard]] std::optional<prefix> parse_prefix(std::string_view text) noexcept;

}  // namespace nat::turn
