#pragma once

// The file of --config: TOML 1.0, each long option by its name at the top level. toml++ reads it;
// this is where it is known, as it compiles slowly.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace nat::signaling::io {

struct config_key {
  enum class kind { flag, number, text, list };  // list: of texts, or one
  std::string name;
  kind takes;
};

struct config_entry {
  std::string name;
  std::vector<std::string> values;  // as the command line would have them
  std::size_t line;
};

// In the order of the lines. The error is `file`:line, what is wrong and what to do.
[[nodiscard]] std::expected<std::vector<config_entry>, std::string> read_config(
    std::string_view text, const std::string& file, const std::vector<config_key>&);

}  // namespace nat::signaling::io
