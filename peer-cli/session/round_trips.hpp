#pragma once

// The figures of a row of round trips: least, median, mean, greatest, and their standard deviation
// (what ping calls mdev). Bounded memory: the median is that of the newest max_kept, the others are
// of all.

#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/time.hpp"

namespace nat::session {

class round_trips {
 public:
  static constexpr std::size_t max_kept = 65'536;

  struct figures {
    duration min, median, mean, max, mdev;
  };

  void add(duration);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // nullopt: none came.
  [[nodiscard]] std::optional<figures> summarize() const;

 private:
  std::vector<duration> kept_;  // a ring once it is full
  std::uint64_t count_ = 0;
  duration min_ = duration::max(), max_{};
  double mean_ = 0, deviations_ = 0;  // Welford: of the squares, in ticks
};

}  // namespace nat::session
