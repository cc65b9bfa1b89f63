#pragma once

// Which valid pair carries data: RFC 8445, 8.1, departed from on purpose (README, "Nomination").
// The first valid pair is used and nominated at once; a better one that becomes valid later is
// nominated again.

#include <cstdint>
#include <optional>

#include "ice/pair.hpp"

namespace nat::ice {

// Fewer relays, UDP before TCP, a substantially shorter round trip, then priority. A pair of a
// newer generation (after a restart) is always better.
[[nodiscard]] bool is_better(const pair& a, const pair& b) noexcept;

// The controlled side: which of the peer's nominations to follow.
class followed_nomination {
 public:
  // `number`: the peer's nomination attribute, where it sends one: the highest wins. Without it the
  // pair of the highest priority wins among those nominated within `settle` of each other (an
  // aggressive peer nominates all), and after that the latest.
  [[nodiscard]] bool accepts(const pair& candidate, std::optional<std::uint32_t> number,
                             const pair* selected, time_point now) const noexcept;
  void follow(std::optional<std::uint32_t> number, time_point now) noexcept;
  void clear() noexcept { *this = {}; }
  [[nodiscard]] bool any() const noexcept { return at_.has_value(); }

  static constexpr duration settle = std::chrono::seconds{1};

 private:
  std::uint32_t number_ = 0;
  std::optional<time_point> at_;
};

}  // namespace nat::ice
