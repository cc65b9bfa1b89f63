#pragma once

// The verbs. Each runs to its end and returns the exit status.

#include "peer-cli/commands/options.hpp"

namespace nat::commands {

[[nodiscard]] int run_pipe(const options&);  // listen, connect
[[nodiscard]] int run_check(const options&);
[[nodiscard]] int run_ping(const options&);
[[nodiscard]] int run_bench(const options&);
[[nodiscard]] int run_stun(const options&);
[[nodiscard]] int run_nat(const options&);
[[nodiscard]] int run_gather(const options&);

}  // namespace nat::commands
