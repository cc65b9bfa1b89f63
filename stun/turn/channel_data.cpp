#include "stun/turn/channel_data.hpp"

#include <algorithm>
#include <cstring>

#include "protocol/base/big_endian.hpp"

namespace nat::turn {

std::optional<channel_data> parse_channel_data(byte_view message) noexcept {
  if (message.size() < channel_header_size) return std::nullopt;
  const auto number = load_be<std::uint16_t>(message, 0);
  const auto length = load_be<std::uint16_t>(message, 2);
  if (!is_channel_number_5766(number)) return std::nullopt;
  if (message.size() - channel_header_size < length) return std::nullopt;
  return channel_data{number, message.subspan(channel_header_size, length)};
}

std::optional<byte_view> write_channel_data(byte_span out, std::uint16_t number, byte_view payload,
                                            bool padded) noexcept {
  const auto size = channel_data_size(payload.size(), padded);
  if (out.size() < size || payload.size() > 0xFFFF) return std::nullopt;
  store_be(out, 0, number);
  store_be(out, 2, static_cast<std::uint16_t>(payload.size()));
  // GCC 12 makes a loop over octets of std::ranges::copy here, ten times as slow.
  if (!payload.empty()) {
    std::memcpy(out.data() + channel_header_size, payload.data(), payload.size());
  }
  std::ranges::fill(out.subspan(channel_header_size + payload.size(),
                                size - channel_header_size - payload.size()),
                    std::byte{0});
  return out.first(size);
}

}  // namespace nat::turn
