#pragma once

#include <string>

#include "protocol/base/bytes.hpp"

namespace nat {

// Two digits an octet, lower case.
[[nodiscard]] inline std::string to_hex(byte_view octets) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto octet : octets) {
    out += digits[std::to_integer<unsigned>(octet) >> 4];
    out += digits[std::to_integer<unsigned>(octet) & 15U];
  }
  return out;
}

}  // namespace nat
