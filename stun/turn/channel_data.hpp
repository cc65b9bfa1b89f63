#pragma once

// ChannelData framing, RFC 8656, 12.4 to 12.6: channel number, length, payload; padded to four
// octets over a stream, where padding tells where the next message starts.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/base/bytes.hpp"

namespace nat::turn {

inline constexpr std::uint16_t first_channel = 0x4000;  // RFC 8656, 12
inline constexpr std::uint16_t last_channel = 0x4FFF;
// RFC 5766, 11: clients that have not heard of RFC 8656's narrower range choose up to here,
// coturn's utilities among them. Read, and served; never chosen.
inline constexpr std::uint16_t last_channel_5766 = 0x7FFF;
inline constexpr std::size_t channel_header_size = 4;

[[nodiscard]] constexpr bool is_channel_number(unsigned number) noexcept {
  return number >= first_channel && number <= last_channel;
}

[[nodiscard]] constexpr bool is_channel_number_5766(unsigned number) noexcept {
  return number >= first_channel && number <= last_channel_5766;
}

struct channel_data {
  std::uint16_t number;
  byte_view payload;  // points into what was parsed
};

// nullopt: not ChannelData, or shorter than its length field says. Octets behind the payload
// are padding (RFC 8656, 12.6) and ignored.
[[nodiscard]] std::optional<channel_data> parse_channel_data(byte_view message) noexcept;

[[nodiscard]] constexpr std::size_t channel_data_size(std::size_t payload, bool padded) noexcept {
  const auto size = channel_header_size + payload;
  return padded ? (size + 3) & ~std::size_t{3} : size;
}

// nullopt: `out` has less than channel_data_size() octets, or the payload more than 65535.
[[nodiscard]] std::optional<byte_view> write_channel_data(byte_span out, std::uint16_t number,
                                                          byte_view payload, bool padded) noexcept;

}  // namespace nat::turn
