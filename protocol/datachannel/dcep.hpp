#pragma once

// The Data Channel Establishment Protocol's two messages (RFC 8832, 5) and the PPIDs that tell
// messages apart (RFC 8831, 8).

#include <cstdint>
#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/datachannel/connection.hpp"

namespace nat::datachannel {

enum class payload : std::uint32_t {
  dcep = 50,
  text = 51,
  binary_partial = 52,  // 52 and 54 are deprecated: taken, never sent
  binary = 53,
  text_partial = 54,
  text_empty = 56,
  binary_empty = 57
};

// Of a label or a protocol; RFC 8832 allows 65,535 octets of each.
constexpr std::size_t max_name_bytes = 1'024;

[[nodiscard]] bytes make_open(const channel_options&);
[[nodiscard]] bytes make_ack();

// nullopt: malformed, a channel type that isn't one, or a name beyond max_name_bytes.
[[nodiscard]] std::optional<channel_options> parse_open(byte_view message);
[[nodiscard]] bool is_open(byte_view message) noexcept;
[[nodiscard]] bool is_ack(byte_view message) noexcept;

}  // namespace nat::datachannel
