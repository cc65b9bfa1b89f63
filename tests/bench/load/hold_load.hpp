#pragma once

// Many allocations at once on a TURN server, each with a channel and light traffic through it: what
// they cost in memory, and what they do to the latency of one client.

#include <cstddef>
#include <optional>

#include <sys/types.h>

#include "stun/turn/client.hpp"
#include "tests/bench/load/turn_flow.hpp"

namespace nat::bench {

struct hold_options {
  std::size_t allocations = 10'000;    // in all, that of the measuring client included
  double packets_per_second = 10'000;  // through all of them; each comes back
  double seconds = 3;
  std::optional<pid_t> server_pid;
};

// Prints its figures. Throws std::runtime_error where the server refuses.
void hold(const turn_target&, const hold_options&);

}  // namespace nat::bench
