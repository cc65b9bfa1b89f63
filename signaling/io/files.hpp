#pragma once

// Files that options name.

#include <string>

namespace nat::signaling::io {

// Throws startup_error, which names the option.
[[nodiscard]] std::string content_of(const char* option, const std::string& file);

}  // namespace nat::signaling::io
