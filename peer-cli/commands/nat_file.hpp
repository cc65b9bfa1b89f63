#pragma once

// Another run's result, `nat --with`: what `peer-cli --json nat` printed on another machine, out of
// a file or as a listening peer tells it. Both are strangers' words.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "stun/behavior/forecast.hpp"

namespace nat::commands {

struct other_nat {
  bool v4 = true;
  std::string name;  // RFC 3489's
  behavior::profile what;
  std::string peer = {};  // who told it; empty: a file
};

inline constexpr std::size_t max_nat_file_bytes = 1 << 20;

// Lines, of which the events `nat` count: one of each family at most, the last. The error completes
// "what was read …".
[[nodiscard]] std::expected<std::vector<other_nat>, std::string> read_nat_events(std::string_view);

// The error completes "peer-cli: " and says what to do.
[[nodiscard]] std::expected<std::vector<other_nat>, std::string> read_nat_file(
    const std::string& file);

// What a forecast rests on and nobody knows of it: "mapping", "filtering", "port_allocation".
[[nodiscard]] std::vector<std::string_view> unlearned_of(const behavior::profile&);

}  // namespace nat::commands
