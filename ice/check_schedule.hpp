#pragma once

// When an unanswered check is repeated: RFC 8445, 14.3, with a shorter start, smaller steps and a
// bound on them, so that a lost check costs little and a peer who turns up late is not met by a
// pause of 16 s.

#include "protocol/base/time.hpp"

namespace nat::ice {

struct check_schedule {
  duration initial_rto = std::chrono::milliseconds{250};
  duration longest_rto = std::chrono::seconds{2};
  duration reliable_wait = std::chrono::milliseconds{39'500};  // Ti: TCP, sent once
  duration pacing = std::chrono::milliseconds{5};

  // Until the next send or, after the last, until the pair fails. `active`: pairs that are checked
  // at the same time, since all share one pace.
  [[nodiscard]] duration wait_after(unsigned sends, std::size_t active) const noexcept;
};

// On a pair that works: nomination and verification, repeated after a measured timeout. A doubted
// path is asked more often, so that one loss does not condemn it.
[[nodiscard]] duration brisk_wait(unsigned sends, duration timeout) noexcept;

// Gives up on a valid pair that is not selected after that many.
inline constexpr unsigned max_brisk_sends = 7;

}  // namespace nat::ice
