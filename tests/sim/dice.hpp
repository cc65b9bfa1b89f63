#pragma once

// All chance in a simulated world comes from one seed: splitmix64, so that a run repeats exactly.

#include <cstdint>

#include "protocol/base/random.hpp"

namespace nat::sim {

class dice final : public random_source {
 public:
  explicit dice(std::uint64_t seed) : state_(seed) {}

  void fill(byte_span out) override {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = next();
      out[i] = static_cast<std::byte>(word & 0xff);
      word >>= 8;
    }
  }
  [[nodiscard]] bool happens(double probability) {
    if (probability <= 0) return false;
    return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
  }
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_below(*this, bound); }

 private:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace nat::sim
