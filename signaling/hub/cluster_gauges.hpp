#pragma once

// What a server counts of its cluster, for the metrics.

#include <cstdint>
#include <string_view>

namespace nat::hub {

struct cluster_gauges {
  bool configured = false;
  std::string_view state = "away";  // of `states`
  std::uint64_t commands = 0, failures = 0, disconnects = 0, subscriptions = 0, published = 0,
                received = 0, acknowledgements_missing = 0, unavailable = 0, malformed = 0,
                superseded = 0, epochs = 0, lapses = 0;
  static constexpr std::string_view states[] = {"away", "joining", "up"};
};

}  // namespace nat::hub
