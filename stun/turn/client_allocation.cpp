#include <algorithm>
#include <utility>

#include "stun/turn/client_errors.hpp"
#include "stun/turn/client_state.hpp"

namespace nat::turn {
namespace {

constexpr duration default_lifetime = std::chrono::minutes{10};  // RFC 8656, 3.2
constexpr duration min_lifetime = std::chrono::seconds{20};
constexpr duration max_lifetime = std::chrono::hours{1};
constexpr duration refresh_margin = std::chrono::minutes{1};  // RFC 8656, 8.1
constexpr duration refresh_retry = std::chrono::seconds{2};

// What the server grants, within bounds that keep us from asking all the time or never again.
duration granted(const stun::message_view& answer) {
  const auto seconds = answer.get<stun::attr::lifetime>();
  if (!seconds) return default_lifetime;
  return std::clamp<duration>(std::chrono::seconds{*seconds}, min_lifetime, max_lifetime);
}

bool usable(const endpoint& e) noexcept {
  return e.port != 0 && !is_unspecified(e.ip) && !is_multicast(e.ip);
}

}  // namespace

void client::state::set_lifetime(duration lifetime, time_point now) {
  expires_ = now + lifetime;
  refresh_at_ = expires_ - std::min(refresh_margin, lifetime / 4);
}

void client::state::handle_allocated(request& r, const stun::message_view& answer, time_point now) {
  for (std::size_t i = 0; i < 2; ++i) {
    const auto relayed_address = answer.get_nth<stun::attr::xor_relayed_address>(i);
    if (relayed_address && usable(*relayed_address)) {
      relayed(relayed_address->ip.v4) = *relayed_address;
    }
  }
  if (!relayed_v4_ && !relayed_v6_) {
    ask({.why = purpose::release}, now);  // an address that leads nowhere is of no use to anyone
    return fail(0, "the server's relayed address is not one that can be reached");
  }
  const auto lifetime = granted(answer);
  set_lifetime(lifetime, now);
  phase_ = phase::allocated;
  const auto mapped = answer.get<stun::attr::xor_mapped_address>().value_or(endpoint{});
  for (const bool v4 : {true, false}) {
    if (!relayed(v4)) continue;
    events_.push_back(allocated{.relayed = *relayed(v4),
                                .mapped = mapped,
                                .lifetime = lifetime,
                                .rtt = rtt_.smoothed().value_or(now - r.sent)});
  }
}

// RFC 8656, 7.4 would have us take another port at a 437. What holds this one is most likely an
// allocation of ours that an earlier run could not release: it is given back, and if it is someone
// else's, the answer says so. A server may take a second over it (coturn does).
bool client::state::retry_mismatch(time_point now) {
  constexpr unsigned max_mismatches = 4;
  constexpr duration pause = std::chrono::milliseconds{500};
  if (++mismatches_ > max_mismatches) return false;
  if (mismatches_ == 1) {
    ask({.why = purpose::discard}, now);
  } else if (discarded_) {
    allocate_at_ = now + pause;
  }
  return mismatches_ == 1 || discarded_;
}

// Ways on from a refused Allocate, each taken at most once. True: one was taken.
bool client::state::retry_differently(int code, const stun::message_view& answer, time_point now) {
  if (code == 437) return retry_mismatch(now);
  // RFC 8656, 7.4: DONT-FRAGMENT and the families are wishes that an older server does not know.
  if (code == 420 && answer.type().kind == stun::kind::error && config_.dont_fragment) {
    config_.dont_fragment = false;
    ask({.why = purpose::allocate}, now);
    return true;
  }
  if (code == 440 && config_.wanted == families::both) {  // no IPv4 there: IPv6 alone
    config_.wanted = families::v6;
    ask({.why = purpose::allocate}, now);
    return true;
  }
  return false;
}

void client::state::handle_allocate_error(int code, const stun::message_view& answer,
                                          time_point now) {
  if (retry_differently(code, answer, now)) return;
  if (code == 300) return handle_alternate(answer);
  if (code == 401 && credentials_.empty()) {
    return fail(code, "the server asks for a username and a password, and none is given");
  }
  const auto error = answer.get<stun::attr::error_code>();
  fail(code, explain(code, error ? error->reason : std::string_view{}));
}

void client::state::handle_alternate(const stun::message_view& answer) {
  const auto server = answer.get<stun::attr::alternate_server>();
  if (!server || !usable(*server) || *server == config_.server.remote) {
    return fail(300, explain(300));
  }
  const auto domain = answer.get<stun::attr::alternate_domain>().value_or(std::string_view{});
  constexpr std::size_t max_domain = 253;
  finish(alternate{.server = *server, .domain = std::string(domain.substr(0, max_domain))});
}

void client::state::handle_refreshed(const stun::message_view& answer, time_point now) {
  refreshing_ = false;
  if (phase_ == phase::allocated) set_lifetime(granted(answer), now);
}

void client::state::handle_refresh_error(int code, std::string_view phrase, time_point now) {
  refreshing_ = false;
  if (phase_ != phase::allocated) return;
  // No answer, or a server in trouble: the allocation lives until it expires, so ask on.
  const bool passing = code == 0 || code >= 500;
  if (!passing) return fail(code, explain(code, phrase));
  refresh_at_ = now + refresh_retry;
  if (refresh_at_ >= expires_) fail(code, explain(code, phrase));
}

void client::state::approve(time_point now) {
  if (phase_ != phase::allocating || !unapproved_) return;
  auto what = std::move(*unapproved_);
  unapproved_.reset();
  ask(std::move(what), now);
}

void client::state::release(time_point now) {
  phase_ = phase::releasing;
  // An Allocate under way that the server may grant is undone unseen: the Refresh arrives behind
  // it. One that it can only answer with a challenge is forgotten.
  const bool maybe_granted = std::ranges::any_of(requests_, [this](const request& r) {
    return r.what.why == purpose::allocate && (r.key || credentials_.empty());
  });
  requests_.clear();
  allocate_at_.reset();
  if (relayed_v4_ || relayed_v6_ || maybe_granted) return ask({.why = purpose::release}, now);
  finish(released{});
}

void client::state::fail(int code, std::string reason) {
  finish(refused{.code = code, .reason = std::move(reason)});
}

void client::state::finish(client_event last) {
  phase_ = phase::finished;
  requests_.clear();
  allocate_at_.reset();
  relayed_v4_.reset();
  relayed_v6_.reset();
  events_.push_back(std::move(last));
}

}  // namespace nat::turn
