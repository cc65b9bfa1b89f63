#include "ice/doubt.hpp"

#include <algorithm>

namespace nat::ice {
namespace {

using namespace std::chrono_literals;

// Recent Chrome leaves some checks unanswered: while data comes in, this long is not enough to
// doubt.
constexpr duration one_way_after = 12s;

}  // namespace

void doubt::sent(time_point now) noexcept {
  if (!unanswered_since_) unanswered_since_ = now;
}

void doubt::asked(time_point now) noexcept {
  sent(now);
  if (!asked_since_) asked_since_ = now;
}

void doubt::received(time_point now) noexcept {
  last_received_ = now;
  unanswered_since_.reset();
  if (!one_way_) raised_.reset();
}

void doubt::answered(time_point now) noexcept {
  asked_since_.reset();
  one_way_ = false;
  received(now);
}

void doubt::raise(time_point now, bool one_way) noexcept {
  if (raised_) return;
  raised_ = now;
  one_way_ = one_way || (asked_since_ && now >= *asked_since_ + one_way_after);
}

void doubt::forget() noexcept {
  *this = doubt(after_);
}

std::optional<time_point> doubt::raised_at(duration rtt) const noexcept {
  if (raised_) return std::nullopt;
  std::optional<time_point> at;
  if (unanswered_since_) at = *unanswered_since_ + std::max(after_, rtt * 3 / 2 + 100ms);
  if (asked_since_) at = earlier(at, *asked_since_ + std::max<duration>(one_way_after, rtt * 3));
  return at;
}

std::optional<time_point> doubt::dead_at(duration rtt) const noexcept {
  if (!raised_) return std::nullopt;
  return *raised_ + std::max<duration>(300ms, rtt * 2 + 100ms);
}

}  // namespace nat::ice
