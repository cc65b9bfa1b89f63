#include "stun/transaction.hpp"

#include <algorithm>

namespace nat::stun {
namespace {

// Far beyond any useful wait; keeps a doubled timeout from overflowing whatever the rules say.
constexpr duration max_rto = std::chrono::hours{1};

duration bounded(duration wanted) noexcept {
  return std::clamp(wanted, duration{1}, max_rto);
}

}  // namespace

retransmit_timer::retransmit_timer(const retransmission& rules, time_point start)
    : rules_(rules), next_(start), rto_(bounded(rules.initial_rto)) {
  schedule(start);
}

// When the send just made, number sends_, has waited long enough.
void retransmit_timer::schedule(time_point now) {
  if (rules_.reliable) {
    next_ = now + rules_.reliable_wait;
  } else if (sends_ >= rules_.max_sends) {
    next_ = now + bounded(rules_.initial_rto) * rules_.final_wait;
  } else {
    next_ = now + rto_;
  }
}

retransmit_timer::action retransmit_timer::poll(time_point now) {
  if (now < next_) return action::wait;
  if (rules_.reliable || sends_ >= rules_.max_sends) return action::give_up;
  ++sends_;
  rto_ = bounded(rto_ * 2);
  schedule(now);
  return action::resend;
}

// RFC 6298, 2.2 and 2.3.
void round_trip_estimate::add(duration sample) {
  sample = std::max(sample, duration{});
  if (!smoothed_) {
    smoothed_ = sample;
    variation_ = sample / 2;
    return;
  }
  const auto off = *smoothed_ > sample ? *smoothed_ - sample : sample - *smoothed_;
  variation_ = (3 * variation_ + off) / 4;
  smoothed_ = (7 * *smoothed_ + sample) / 8;
}

duration round_trip_estimate::rto(duration fallback, duration floor) const {
  return std::max(floor, smoothed_ ? *smoothed_ + 4 * variation_ : fallback);
}

}  // namespace nat::stun
