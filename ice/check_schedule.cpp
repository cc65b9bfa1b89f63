#include "ice/check_schedule.hpp"

#include <algorithm>

namespace nat::ice {

duration check_schedule::wait_after(unsigned sends, std::size_t active) const noexcept {
  const auto paced = pacing * static_cast<duration::rep>(active);
  const auto longest = std::max(longest_rto, paced);
  auto wait = std::max(initial_rto, paced);
  for (unsigned n = 1; n < sends && wait < longest; ++n) wait += wait / 2;
  return std::min(wait, longest);
}

duration brisk_wait(unsigned sends, duration timeout) noexcept {
  using namespace std::chrono_literals;
  return std::clamp<duration>(timeout, sends < max_brisk_sends ? 50ms : 1000ms, 2s);
}

}  // namespace nat::ice
