#include "protocol/base/base64.hpp"

#include <cstdint>

namespace nat {

std::string to_base64(byte_view data) {
  static constexpr char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const auto octet = [&](std::size_t k) {
      return i + k < data.size() ? std::to_integer<std::uint32_t>(data[i + k]) : 0U;
    };
    const std::uint32_t group = octet(0) << 16 | octet(1) << 8 | octet(2);
    out += alphabet[group >> 18];
    out += alphabet[group >> 12 & 63];
    out += i + 1 < data.size() ? alphabet[group >> 6 & 63] : '=';
    out += i + 2 < data.size() ? alphabet[group & 63] : '=';
  }
  return out;
}

}  // namespace nat
