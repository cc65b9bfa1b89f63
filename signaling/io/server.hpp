#pragma once

// The whole server: binds, starts one thread for each event loop, tells when it is ready, and
// drains on SIGTERM and SIGINT.

#include "signaling/io/options.hpp"

namespace nat::signaling::io {

// First of all, and before there is any thread: SIGHUP, which would end the process, SIGTERM and
// SIGINT wait until serve() can act on them.
void hold_signals();

// Runs until it is told to stop; the exit status. Throws startup_error where it can't start.
[[nodiscard]] int serve(const options&);

// Reads what serve() would read, and nothing else. Throws startup_error.
void check(const options&);

}  // namespace nat::signaling::io
