#include "peer-cli/session/round_trips.hpp"

#include <algorithm>
#include <cmath>

namespace nat::session {

void round_trips::add(duration d) {
  if (kept_.size() < max_kept) {
    kept_.push_back(d);
  } else {
    kept_[count_ % max_kept] = d;
  }
  ++count_;
  min_ = std::min(min_, d);
  max_ = std::max(max_, d);
  const auto ticks = static_cast<double>(d.count());
  const double off = ticks - mean_;
  mean_ += off / static_cast<double>(count_);
  deviations_ += off * (ticks - mean_);
}

std::optional<round_trips::figures> round_trips::summarize() const {
  if (count_ == 0) return std::nullopt;
  auto sorted = kept_;
  std::ranges::sort(sorted);
  const auto half = sorted.size() / 2;
  const auto median = sorted.size() % 2 == 1
                          ? sorted[half]
                          : sorted[half - 1] + (sorted[half] - sorted[half - 1]) / 2;
  const auto whole = [](double ticks) { return duration(std::llround(ticks)); };
  return figures{min_, median, whole(mean_), max_,
                 whole(std::sqrt(deviations_ / static_cast<double>(count_)))};
}

}  // namespace nat::session
