#include "ice/early_checks.hpp"

#include <algorithm>

namespace nat::ice {

bool early_checks::add(early_check c) {
  const auto at =
      std::ranges::find_if(waiting_, [&](const early_check& e) { return e.from == c.from; });
  if (at != waiting_.end()) {
    if (at->remote_ufrag == c.remote_ufrag && !c.what.use_candidate) {
      c.what.use_candidate = at->what.use_candidate;
      c.what.nomination = at->what.nomination;
    }
    *at = std::move(c);
    return true;
  }
  if (waiting_.size() >= max_) return false;
  waiting_.push_back(std::move(c));
  return true;
}

void early_checks::expire(time_point older_than) {
  std::erase_if(waiting_, [&](const early_check& c) { return c.at <= older_than; });
}

bool early_checks::knows(const path& from) const noexcept {
  return std::ranges::any_of(waiting_, [&](const early_check& c) { return c.from == from; });
}

std::optional<time_point> early_checks::oldest() const noexcept {
  std::optional<time_point> oldest;
  for (const auto& c : waiting_) oldest = earlier(oldest, c.at);
  return oldest;
}

}  // namespace nat::ice
