#pragma once

// Time is a value that the caller passes in; nothing below a driver reads a clock.

#include <chrono>
#include <optional>

namespace nat {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

// The earlier of two deadlines, where either may be absent.
[[nodiscard]] inline std::optional<time_point> earlier(std::optional<time_point> a,
                                                       std::optional<time_point> b) noexcept {
  if (!a) return b;
  if (!b) return a;
  return *a < *b ? a : b;
}

[[nodiscard]] inline double milliseconds(duration d) noexcept {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace nat
