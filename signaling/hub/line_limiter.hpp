#pragma once

// Keeps what strangers cause from filling a disk: some lines at once, then two a second; how many
// were left out is told ten seconds after the first of them.

#include <chrono>
#include <cstdint>
#include <utility>

#include "protocol/base/time.hpp"
#include "signaling/hub/token_bucket.hpp"

namespace nat::hub {

class line_limiter {
 public:
  static constexpr double per_second = 2, burst = 50;
  static constexpr auto summary_after = std::chrono::seconds(10);

  // False: this line is left out.
  [[nodiscard]] bool admit(time_point now) noexcept {
    if (bucket_.level(now) >= 1) {
      bucket_.take(now);
      return true;
    }
    if (left_out_++ == 0) since_ = now;
    return false;
  }
  // How many were left out, once it is time to tell; 0 otherwise.
  [[nodiscard]] std::uint64_t take_left_out(time_point now) noexcept {
    if (left_out_ == 0 || now - since_ < summary_after) return 0;
    return std::exchange(left_out_, 0);
  }

 private:
  token_bucket bucket_{per_second, burst, {}};
  std::uint64_t left_out_ = 0;
  time_point since_{};
};

}  // namespace nat::hub
