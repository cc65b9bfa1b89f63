#include "stun/behavior/lifetime_search.hpp"

#include <algorithm>

namespace nat::behavior {

using std::chrono::seconds;

std::vector<duration> lifetime_search::round() const {
  // RFC 4787, REQ-5: 2 minutes at least, 5 recommended; Linux has 30 s.
  if (!gone_ && alive_ < longest) {
    return {seconds{5},  seconds{15},  seconds{30},  seconds{60},
            seconds{90}, seconds{120}, seconds{180}, longest};
  }
  if (!gone_) return {};
  const auto apart = *gone_ - alive_;
  if (apart <= std::max<duration>(*gone_ / 15, seconds{1})) return {};
  std::vector<duration> out;
  for (std::size_t i = 1; i <= trials_at_once; ++i) {
    out.push_back(alive_ + apart * i / (trials_at_once + 1));
  }
  return out;
}

void lifetime_search::survived(duration silence) {
  alive_ = std::max(alive_, silence);
}

void lifetime_search::expired(duration silence) {
  gone_ = gone_ ? std::min(*gone_, silence) : silence;
}

}  // namespace nat::behavior
