#pragma once

// What this process has used of the processor, all of its threads together.

#include <ctime>

#include "peer-cli/session/bench_flow.hpp"

namespace nat::commands {

[[nodiscard]] inline session::bench_clock read_clock(time_point now) {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return {now, std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec}};
}

}  // namespace nat::commands
