#pragma once

// Network byte order. The caller has checked that the bytes are there.

#include <cstdint>

#include "protocol/base/bytes.hpp"

namespace nat {

template <class Integer>
[[nodiscard]] constexpr Integer load_be(byte_view from, std::size_t offset = 0) noexcept {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>((static_cast<std::uint64_t>(value) << 8) |
                                 std::to_integer<std::uint64_t>(from[offset + i]));
  }
  return value;
}

template <class Integer>
constexpr void store_be(byte_span to, std::size_t offset, Integer value) noexcept {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    to[offset + i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >>
                                            (8 * (sizeof(Integer) - 1 - i)));
  }
}

}  // namespace nat
