#include "ice/patience.hpp"

namespace nat::ice {

std::optional<time_point> failure_due(const patience_situation& s, duration patience) noexcept {
  if (s.active != 0) return std::nullopt;
  return (s.both_ended ? s.started : s.last_news) + patience;
}

}  // namespace nat::ice
