#pragma once

// How long something took, counted by bounds that lie a factor of 2 to 2.5 apart.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "protocol/base/time.hpp"

namespace nat::hub {

class histogram {
 public:
  // In microseconds; what is above the last one is counted all the same.
  static constexpr std::array<std::int64_t, 14> bounds{20,     50,      100,     250,      500,
                                                       1'000,  2'500,   5'000,   10'000,   25'000,
                                                       50'000, 100'000, 250'000, 1'000'000};

  void observe(duration took, std::uint64_t times = 1) noexcept {
    const auto micros = std::chrono::duration<double, std::micro>(took).count();
    std::size_t i = 0;
    while (i < bounds.size() && micros > static_cast<double>(bounds[i])) ++i;
    counts_[i] += times;
    sum_ += std::max(micros, 0.0) / 1e6 * static_cast<double>(times);
  }

  // How many took no longer than bounds[i], or, with bounds.size(), any time at all.
  [[nodiscard]] std::uint64_t up_to(std::size_t i) const noexcept {
    std::uint64_t all = 0;
    for (std::size_t j = 0; j <= i; ++j) all += counts_[j];
    return all;
  }
  [[nodiscard]] double sum_seconds() const noexcept { return sum_; }

  histogram& operator+=(const histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    sum_ += other.sum_;
    return *this;
  }

 private:
  std::array<std::uint64_t, bounds.size() + 1> counts_{};
  double sum_ = 0;
};

}  // namespace nat::hub
