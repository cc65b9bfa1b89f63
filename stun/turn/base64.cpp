#include "stun/turn/base64.hpp"

namespace nat::turn {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t octet(byte_view data, std::size_t i) noexcept {
  return i < data.size() ? std::to_integer<std::uint32_t>(data[i]) : 0;
}

void encode_three(byte_view data, std::size_t at, char* out) noexcept {
  const auto word = octet(data, at) << 16 | octet(data, at + 1) << 8 | octet(data, at + 2);
  for (unsigned i = 0; i < 4; ++i) out[i] = alphabet[(word >> (18 - 6 * i)) & 63];
}

}  // namespace

void base64_whole(byte_view data, char* out) noexcept {
  for (std::size_t at = 0; at < data.size(); at += 3) encode_three(data, at, out + at / 3 * 4);
}

bool unbase64_whole(std::string_view text, byte_span out) noexcept {
  if (text.size() % 4 != 0 || text.size() / 4 * 3 != out.size()) return false;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto value = alphabet.find(text[at + i]);
      if (value == std::string_view::npos) return false;
      word = word << 6 | static_cast<std::uint32_t>(value);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      out[at / 4 * 3 + i] = static_cast<std::byte>(word >> (16 - 8 * i));
    }
  }
  return true;
}

}  // namespace nat::turn
