#pragma once

// Entropy is injected: the system's CSPRNG in production (crypto::system_random), a seed in tests.

#include <array>
#include <cstdint>
#include <string>

#include "protocol/base/bytes.hpp"

namespace nat {

class random_source {
 public:
  virtual ~random_source() = default;
  // Fills all of `out`. Does not fail: a source that can't deliver ends the program.
  virtual void fill(byte_span out) = 0;
};

[[nodiscard]] inline std::uint64_t random_u64(random_source& source) {
  std::array<std::byte, 8> octets;
  source.fill(octets);
  std::uint64_t value = 0;
  for (const auto octet : octets) value = (value << 8) | std::to_integer<std::uint64_t>(octet);
  return value;
}

// Uniform in [0, bound), bound > 0; by rejection, so without bias.
[[nodiscard]] inline std::uint64_t random_below(random_source& source, std::uint64_t bound) {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    if (const auto value = random_u64(source); value < limit) return value % bound;
  }
}

// `length` characters of the ice-char alphabet (RFC 8839, 5.4), 6 bits of entropy each.
[[nodiscard]] inline std::string random_text(random_source& source, std::size_t length) {
  static constexpr char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text(length, '\0');
  source.fill(std::as_writable_bytes(std::span(text)));
  for (auto& c : text) c = alphabet[static_cast<unsigned char>(c) & 63U];
  return text;
}

}  // namespace nat
