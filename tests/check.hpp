#pragma once

// What every test file starts with: doctest, a seeded random source, and bytes from hex.

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/base/random.hpp"

namespace nat::test {

// splitmix64: same seed, same bytes.
class seeded_random final : public random_source {
 public:
  explicit seeded_random(std::uint64_t seed = 1) : state_(seed) {}
  void fill(byte_span out) override {
    for (auto& octet : out) octet = static_cast<std::byte>(next() & 0xff);
  }

 private:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

// Hex digits, blanks ignored.
[[nodiscard]] inline bytes from_hex(std::string_view text) {
  bytes out;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<std::byte>(high * 16 + digit));
      high = -1;
    }
  }
  return out;
}

}  // namespace nat::test
