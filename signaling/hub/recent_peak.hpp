#pragma once

// The largest of what was noted in the last 30 to 60 seconds: a gauge that a scrape finds again
// after a peak, and that comes down after it.

#include <algorithm>
#include <array>
#include <chrono>

#include "protocol/base/time.hpp"

namespace nat::hub {

template <class Value>
class recent_peak {
 public:
  static constexpr auto window = std::chrono::seconds(30);

  void note(Value v) noexcept { worst_[0] = std::max(worst_[0], v); }
  // Forgets what is two windows old. Called often, or the windows are longer.
  void pass(time_point now) noexcept {
    if (now - since_ < window) return;
    worst_ = {Value{}, worst_[0]};
    since_ = now;
  }
  [[nodiscard]] Value value() const noexcept { return std::max(worst_[0], worst_[1]); }

 private:
  std::array<Value, 2> worst_{};  // of this window and of the one before
  time_point since_{};
};

}  // namespace nat::hub
