#pragma once

// --token-file, SIGNALING_TOKENS and --jwt-key.

#include <memory>

#include "signaling/hub/access.hpp"
#include "signaling/io/options.hpp"

namespace nat::signaling::io {

// nullptr: no tokens were asked for. Throws startup_error.
[[nodiscard]] std::shared_ptr<const hub::access> read_access(const options&, random_source&);

}  // namespace nat::signaling::io
