#pragma once

// Every deadline of the agent in one table.

#include <array>
#include <optional>

#include "protocol/base/time.hpp"

namespace nat::ice {

enum class timer : std::uint8_t {
  pacing,          // Ta: the next ordinary check
  checks,          // the earliest check that is due by itself
  doubt,           // the selected path is doubted, or counts as dead
  consent,         // RFC 7675: consent on the selected path ends
  retry,           // failed pairs are tried again: without a path, or with a relayed one
  patience,        // RFC 8863
  early_checks,    // the oldest of those that wait for credentials goes
  old_generation,  // the credentials from before a restart are forgotten
  count
};

class timer_table {
 public:
  void set(timer t, std::optional<time_point> at) noexcept { at_[index(t)] = at; }
  void set_earlier(timer t, time_point at) noexcept { set(t, earlier(get(t), at)); }
  void stop(timer t) noexcept { set(t, std::nullopt); }
  [[nodiscard]] std::optional<time_point> get(timer t) const noexcept { return at_[index(t)]; }
  [[nodiscard]] bool due(timer t, time_point now) const noexcept {
    return get(t) && *get(t) <= now;
  }
  [[nodiscard]] std::optional<time_point> next() const noexcept {
    std::optional<time_point> first;
    for (const auto& at : at_) first = earlier(first, at);
    return first;
  }

 private:
  static constexpr std::size_t index(timer t) noexcept { return static_cast<std::size_t>(t); }
  std::array<std::optional<time_point>, static_cast<std::size_t>(timer::count)> at_;
};

}  // namespace nat::ice
