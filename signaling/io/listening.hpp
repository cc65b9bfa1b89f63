#pragma once

// Binds what the options ask for, on every event loop.

#include <memory>
#include <vector>

#include "signaling/io/event_loop.hpp"
#include "signaling/io/options.hpp"
#include "signaling/io/ready_file.hpp"

namespace nat::signaling::io {

// All but the admin's; the addresses as they were bound. Throws startup_error.
[[nodiscard]] server_addresses listen(const options&,
                                      const std::vector<std::unique_ptr<event_loop>>&);

}  // namespace nat::signaling::io
