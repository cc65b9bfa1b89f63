#pragma once

// The program's log, to standard error, as text or as one JSON object per line. No secret, token or
// description of a session is ever handed to it; names are, having passed the check of their
// characters. Nobody waits for a reader: what standard error does not take at once is left out,
// and how much that was is told with the next line that it takes.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nat::signaling::io {

enum class log_format { text, json };
enum class log_level { debug, info, warning, error };

// One line. Fields are keys of their own in JSON, key=value in text; those without a value are left
// out, long values are cut.
struct log_line {
  struct field {
    std::string_view key;
    std::string value;
  };
  std::string message;
  std::vector<field> fields{};
};

// False: no such level.
[[nodiscard]] bool start_log(std::string_view level, log_format);
[[nodiscard]] bool log_wanted(log_level);
void log(log_level, const log_line&);

// Whatever the level: what a program that starts the server reads.
void log_always(std::string message);
inline void log_info(std::string message) {
  log(log_level::info, {std::move(message)});
}
inline void log_warning(std::string message) {
  log(log_level::warning, {std::move(message)});
}
inline void log_error(std::string message) {
  log(log_level::error, {std::move(message)});
}
// The line is made only where it is wanted.
template <class Make>
void log_debug(Make make) {
  if (log_wanted(log_level::debug)) log(log_level::debug, make());
}

}  // namespace nat::signaling::io
