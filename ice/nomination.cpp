#include "ice/nomination.hpp"

#include <algorithm>

#include "ice/pairing.hpp"

namespace nat::ice {
namespace {

using namespace std::chrono_literals;

// Shorter by a quarter and 10 ms more: what jitter does not explain.
bool much_faster(duration a, duration b) noexcept {
  return a + 10ms < b - b / 4;
}

}  // namespace

bool is_better(const pair& a, const pair& b) noexcept {
  if (a.generation != b.generation) return a.generation > b.generation;
  if (relays_of(a) != relays_of(b)) return relays_of(a) < relays_of(b);
  if (a.reliable() != b.reliable()) return b.reliable();
  if (const auto ours = a.rtt.smoothed(), theirs = b.rtt.smoothed(); ours && theirs) {
    if (much_faster(*ours, *theirs)) return true;
    if (much_faster(*theirs, *ours)) return false;
  }
  return a.priority > b.priority;
}

bool followed_nomination::accepts(const pair& candidate, std::optional<std::uint32_t> number,
                                  const pair* selected, time_point now) const noexcept {
  if (selected == nullptr || selected == &candidate || !at_) return true;
  if (number && *number != number_) return *number > number_;
  if (selected->generation != candidate.generation) {
    return candidate.generation > selected->generation;
  }
  return candidate.priority > selected->priority || (!number && now - *at_ > settle);
}

void followed_nomination::follow(std::optional<std::uint32_t> number, time_point now) noexcept {
  if (number) number_ = std::max(number_, *number);
  at_ = now;
}

}  // namespace nat::ice
