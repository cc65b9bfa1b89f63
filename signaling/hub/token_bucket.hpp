#pragma once

// A rate with a burst. The level may sink below zero: by how much says how far over its rate a
// client is.

#include <algorithm>

#include "protocol/base/time.hpp"

namespace nat::hub {

class token_bucket {
 public:
  token_bucket(double per_second, double burst, time_point now) noexcept
      : per_second_(static_cast<float>(per_second)),
        burst_(static_cast<float>(burst)),
        level_(burst_),
        filled_at_(now) {}

  // What is left, negative where there were too few.
  double take(time_point now, double tokens = 1) noexcept {
    level_ = static_cast<float>(level(now));
    filled_at_ = std::max(filled_at_, now);
    return level_ -= static_cast<float>(tokens);
  }
  [[nodiscard]] double level(time_point now) const noexcept {
    const auto passed = std::chrono::duration<double>(now - filled_at_).count();
    return passed <= 0 ? level_ : std::min<double>(burst_, level_ + passed * per_second_);
  }

  [[nodiscard]] bool full(time_point now) const noexcept { return level(now) >= burst_; }

 private:
  float per_second_, burst_, level_;
  time_point filled_at_;
};

}  // namespace nat::hub
