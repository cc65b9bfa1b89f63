#pragma once

// Addresses and ports as values, their text forms, and what kind of place an address names.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/bytes.hpp"

namespace nat {

enum class transport : std::uint8_t { udp, tcp };

// IPv4 uses the first four octets, the rest stay zero. IPv6 scope identifiers are not carried:
// link-local addresses name no place without one and are not used as candidates.
struct address {
  std::array<std::byte, 16> octets{};
  bool v4 = true;
  auto operator<=>(const address&) const = default;

  [[nodiscard]] byte_view view() const noexcept {
    return byte_view(octets).first(v4 ? std::size_t{4} : std::size_t{16});
  }
};

struct endpoint {
  address ip;
  std::uint16_t port = 0;
  auto operator<=>(const endpoint&) const = default;
};

[[nodiscard]] address make_v4(std::uint32_t host_order) noexcept;
[[nodiscard]] address make_v6(byte_view sixteen_octets) noexcept;

// "192.0.2.1", "2001:db8::1" (RFC 5952); no brackets, no zone, no port.
[[nodiscard]] std::optional<address> parse_address(std::string_view text) noexcept;
[[nodiscard]] std::string to_string(const address&);

// "192.0.2.1:3478", "[2001:db8::1]:3478".
[[nodiscard]] std::optional<endpoint> parse_endpoint(std::string_view text) noexcept;
[[nodiscard]] std::string to_string(const endpoint&);
[[nodiscard]] std::string_view to_string(transport) noexcept;

[[nodiscard]] bool is_unspecified(const address&) noexcept;
[[nodiscard]] bool is_loopback(const address&) noexcept;
[[nodiscard]] bool is_link_local(const address&) noexcept;
[[nodiscard]] bool is_multicast(const address&) noexcept;
// RFC 1918, RFC 6598 (100.64/10) and unique-local IPv6 (RFC 4193).
[[nodiscard]] bool is_private(const address&) noexcept;
// ::ffff:a.b.c.d as a.b.c.d; anything else unchanged.
[[nodiscard]] address unmapped(const address&) noexcept;

}  // namespace nat

template <>
struct std::hash<nat::address> {
  std::size_t operator()(const nat::address& a) const noexcept {
    return std::hash<std::string_view>{}(nat::as_text(a.octets)) ^ (a.v4 ? 0x9e37U : 0U);
  }
};

template <>
struct std::hash<nat::endpoint> {
  std::size_t operator()(const nat::endpoint& e) const noexcept {
    return std::hash<nat::address>{}(e.ip) * 31 + e.port;
  }
};
