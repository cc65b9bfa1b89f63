#pragma once

// Another run's result, `nat --with FILE`: what `peer-cli --json nat` printed on another machine.

#include <expected>
#include <string>
#include <vector>

#include "stun/behavior/forecast.hpp"

namespace nat::commands {

struct other_nat {
  bool v4 = true;
  std::string name;  // RFC 3489's
  behavior::profile what;
};

inline constexpr std::size_t max_nat_file_bytes = 1 << 20;

// One of each family at most. The error completes "peer-cli: " and says what to do.
[[nodiscard]] std::expected<std::vector<other_nat>, std::string> read_nat_file(
    const std::string& file);

}  // namespace nat::commands
