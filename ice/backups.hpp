#pragma once

// Which valid pairs are kept warm beside the selected one: the best direct and the best relayed
// alternative, no more, however many work.

#include "ice/check_list.hpp"

namespace nat::ice {

// Sets `upkeep` of every pair.
void assign_upkeep(const check_list&, const pair* selected);

// What replaces a lost path: the best valid pair, not `lost`, that was answered later than
// `after`.
[[nodiscard]] pair* best_alternative(const check_list&, const pair* lost, time_point after);

// Intervals are spread by 0.8 to 1.2 (RFC 7675, 5.1).
[[nodiscard]] duration jittered(duration, random_source&);

}  // namespace nat::ice
