#pragma once

// How long a NAT keeps an idle mapping, RFC 5780, 4.6: a binary search that halves eight ways at
// once, since each trial costs a fresh mapping and its whole silence, but trials can wait side by
// side.

#include <optional>
#include <vector>

#include "protocol/base/time.hpp"

namespace nat::behavior {

class lifetime_search {
 public:
  static constexpr std::size_t trials_at_once = 8;
  static constexpr duration longest = std::chrono::seconds{300};

  // The silences of the next round, ascending; empty: the bounds are as close as a fifteenth.
  [[nodiscard]] std::vector<duration> round() const;
  void survived(duration silence);
  void expired(duration silence);
  // False: a trial of the round under way whose answer would tell nothing any more.
  [[nodiscard]] bool matters(duration silence) const {
    return silence > alive_ && (!gone_ || silence < *gone_);
  }

  [[nodiscard]] duration alive_after() const { return alive_; }
  [[nodiscard]] std::optional<duration> gone_after() const { return gone_; }

 private:
  duration alive_{};
  std::optional<duration> gone_;
};

}  // namespace nat::behavior
