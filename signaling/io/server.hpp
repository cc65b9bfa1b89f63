#pragma once

// The whole server: binds, starts one thread for each event loop, tells when it is ready, and
// drains on SIGTERM and SIGINT.

#include "signaling/io/options.hpp"

namespace nat::signaling::io {

// Runs until it is told to stop; the exit status. Throws startup_error where it can't start.
[[nodiscard]] int serve(const options&);

// Reads what serve() would read, and nothing else. Throws startup_error.
void check(const options&);

}  // namespace nat::signaling::io
