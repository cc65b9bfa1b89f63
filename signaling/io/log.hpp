#pragma once

// The program's log, to standard error, as text or as one JSON object per line. No secret, token or
// description of a session is ever handed to it; names are, having passed the check of their
// characters.

#include <string>
#include <string_view>

namespace nat::signaling::io {

enum class log_format { text, json };

// False: no such level.
[[nodiscard]] bool start_log(std::string_view level, log_format);
void log_info(std::string_view);
void log_warning(std::string_view);
void log_error(std::string_view);
[[nodiscard]] bool debug_wanted();
void log_debug_line(std::string_view);

// The line is made only where it is wanted.
template <class Make>
void log_debug(Make make) {
  if (debug_wanted()) log_debug_line(make());
}

}  // namespace nat::signaling::io
