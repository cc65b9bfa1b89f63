#include "ice/portmap/lease.hpp"

#include <algorithm>
#include <utility>

namespace nat::portmap {

void lease::start_sending(time_point at) {
  sends_ = 0;
  resend_at_ = at;
}

void lease::ask(time_point now) {
  if (releasing_ || state_ == standing::absent) return;
  state_ = standing::asking;
  start_sending(now);
}

void lease::grant(const endpoint& external, std::uint32_t lifetime, time_point now) {
  if (releasing_) return;
  state_ = standing::granted;
  external_ = external;
  lifetime_ = std::min(std::chrono::seconds{lifetime}, rules_.longest);
  renew_at_ = now + std::max<duration>(lifetime_ / 2, rules_.between_renewals);
  // One that is shorter than the pause between renewals is not fought over.
  expires_at_ = std::max<time_point>(now + lifetime_, *renew_at_ + rules_.between_renewals);
  resend_at_.reset();
  retry_at_.reset();
  reason_.clear();
}

void lease::refuse(std::string reason, std::uint32_t retry_after, time_point now) {
  if (releasing_ || state_ == standing::absent) return;
  reason_ = std::move(reason);
  resend_at_.reset();
  renew_at_.reset();
  if (!external_) state_ = standing::refused;
  retry_at_ =
      now + std::clamp(std::chrono::seconds{retry_after}, rules_.min_refusal, rules_.max_refusal);
}

void lease::give_up(std::string reason) {
  if (external_) return;  // what has been granted is not unsaid by a stray datagram
  state_ = releasing_ ? standing::released : standing::absent;
  reason_ = std::move(reason);
  resend_at_.reset();
  retry_at_.reset();
}

void lease::renew(time_point now) {
  if (state_ != standing::granted || releasing_ || resend_at_) return;
  renew_at_ = last_sent_ ? std::max<time_point>(now, *last_sent_ + rules_.between_renewals) : now;
}

void lease::release(time_point now) {
  if (std::exchange(releasing_, true)) return;
  renew_at_.reset();
  expires_at_.reset();
  retry_at_.reset();
  external_.reset();
  resend_at_.reset();
  // Also where no answer has come: it may be on its way.
  if (ever_sent_ && (state_ == standing::granted || state_ == standing::asking)) {
    start_sending(now);
  } else {
    state_ = standing::released;
  }
}

void lease::release_confirmed() {
  if (!releasing_) return;
  resend_at_.reset();
  state_ = standing::released;
}

bool lease::released() const {
  return releasing_ && state_ == standing::released;
}

bool lease::settled() const {
  return state_ != standing::asking || sends_ >= rules_.quiet_sends;
}

void lease::sent(time_point now) {
  ever_sent_ = true;
  last_sent_ = now;
  const auto doubled = rules_.initial_rto * (std::int64_t{1} << std::min(sends_, 20U));
  const auto rto = std::min<duration>(doubled, rules_.max_rto);
  ++sends_;
  // RFC 6887, 8.1.1: a tenth more or less, so that a house full of clients does not ask in step.
  const auto tenth = static_cast<std::uint64_t>(rto.count() / 10);
  const auto jitter = static_cast<duration::rep>(random_below(*random_, 2 * tenth + 1));
  resend_at_ = now + rto + duration{jitter - static_cast<duration::rep>(tenth)};
}

bool lease::handle_timeout(time_point now) {
  if (expires_at_ && now >= *expires_at_) {
    expires_at_.reset();
    renew_at_.reset();
    external_.reset();
    state_ = standing::asking;
    if (!resend_at_) start_sending(now);
  }
  if (renew_at_ && now >= *renew_at_) {
    renew_at_.reset();
    start_sending(now);
  }
  if (retry_at_ && now >= *retry_at_) {
    retry_at_.reset();
    start_sending(now);
  }
  if (!resend_at_ || now < *resend_at_) return false;
  if (releasing_ && sends_ >= rules_.release_sends) {
    release_confirmed();
    return false;
  }
  if (!external_ && !releasing_ && rules_.max_sends != 0 && sends_ >= rules_.max_sends) {
    give_up("no answer");
    return false;
  }
  sent(now);
  if (releasing_ && !heard_) release_confirmed();
  return true;
}

std::optional<time_point> lease::next_timeout() const {
  return earlier(earlier(resend_at_, renew_at_), earlier(expires_at_, retry_at_));
}

}  // namespace nat::portmap
