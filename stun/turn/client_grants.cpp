#include <algorithm>
#include <utility>

#include "stun/turn/client_errors.hpp"
#include "stun/turn/client_state.hpp"

namespace nat::turn {
namespace {

// 24 IPv6 peers are 576 octets: with usual credentials the request stays below 1200.
constexpr std::size_t max_peers_in_request = 24;
// What is due this soon is renewed along with what is due already.
constexpr duration renewal_window = std::chrono::seconds{30};
constexpr duration renewal_retry = std::chrono::seconds{2};

}  // namespace

permission* client::state::want_permission(const address& peer, time_point now) {
  if (auto* known = peers_.find_permission(peer); known != nullptr) {
    constexpr duration ask_again = std::chrono::seconds{5};
    if (known->state == grant::refused && now - known->last_used >= ask_again) {
      known->state = grant::wanted;
      known->last_used = now;
    }
    return known;
  }
  auto* made = peers_.add_permission(peer, now);
  if (made == nullptr && events_.size() < config_.max_events) {
    events_.push_back(permission_refused{.peer = peer,
                                         .code = 0,
                                         .reason = "this side's limit of " +
                                                   std::to_string(config_.max_permissions) +
                                                   " peers for one allocation is reached"});
  }
  return made;
}

// One request for as many peers as fit. Peers of a family that has no relayed address wait: the
// server would refuse the whole request with 443.
void client::state::flush_wanted(time_point now) {
  std::vector<address> batch;
  for (auto& p : peers_.permissions()) {
    if (p.state != grant::wanted || !relayed(p.peer.v4)) continue;
    p.state = grant::asked;
    batch.push_back(p.peer);
    if (batch.size() == max_peers_in_request) ask_permissions(std::exchange(batch, {}), now);
  }
  if (!batch.empty()) ask_permissions(std::move(batch), now);
  for (auto& c : peers_.channels()) {
    if (c.state != grant::wanted || !relayed(c.peer.ip.v4)) continue;
    c.state = grant::asked;
    ask({.why = purpose::bind, .peer = c.peer, .number = c.number}, now);
  }
}

void client::state::ask_permissions(std::vector<address> peers, time_point now) {
  ask({.why = purpose::permit, .peers = std::move(peers)}, now);
}

void client::state::renew_grants(time_point now) {
  const auto due = peers_.next_renewal();
  if (!due || *due > now) return;
  std::vector<address> batch;
  for (auto& p : peers_.permissions()) {
    if (p.state != grant::active || p.renewing || p.renew_at > now + renewal_window) continue;
    p.renewing = true;
    batch.push_back(p.peer);
    if (batch.size() == max_peers_in_request) ask_permissions(std::exchange(batch, {}), now);
  }
  if (!batch.empty()) ask_permissions(std::move(batch), now);
  for (auto& c : peers_.channels()) {
    if (c.state != grant::active || c.renewing || c.renew_at > now) continue;
    c.renewing = true;
    ask({.why = purpose::bind, .peer = c.peer, .number = c.number}, now);
  }
}

void client::state::handle_permitted(const request& r, time_point now) {
  for (const auto& peer : r.what.peers) activate(peer, r, now);
}

void client::state::activate(const address& peer, const request& r, time_point now) {
  auto* p = peers_.find_permission(peer);
  if (p == nullptr) return;
  p->state = grant::active;
  p->renewing = false;
  // Counted from when it was asked for, the earliest that the server can have counted from.
  p->expires = r.sent + permission_lifetime;
  p->renew_at = r.sent + permission_renewal;
  const bool first_try = r.timer.sends() == 1 && r.what.challenges == 0;
  for (auto& wire : std::exchange(p->held, {})) {
    if (!first_try && outbox_.size() < config_.max_outbox) queue(std::move(wire), now);
  }
}

void client::state::handle_permit_error(const request& r, int code, std::string_view phrase,
                                        time_point now) {
  if (code == 437 || code == 441) return fail(code, explain(code, phrase));
  if (r.what.peers.size() > 1 && code != 0) {  // one of them is why: each on its own
    for (const auto& peer : r.what.peers) ask_permissions({peer}, now);
    return;
  }
  for (const auto& peer : r.what.peers) {
    auto* p = peers_.find_permission(peer);
    if (p == nullptr) continue;
    if (p->state == grant::active && now + renewal_retry < p->expires && code != 403) {
      p->renewing = false;
      p->renew_at = now + renewal_retry;
      continue;
    }
    refuse_permission(peer, code, phrase, now);
  }
}

void client::state::refuse_permission(const address& peer, int code, std::string_view phrase,
                                      time_point now) {
  auto* p = peers_.find_permission(peer);
  p->state = grant::refused;
  p->renewing = false;
  p->last_used = now;
  p->held.clear();
  if (events_.size() >= config_.max_events) return;
  events_.push_back(
      permission_refused{.peer = peer, .code = code, .reason = explain(code, phrase)});
}

void client::state::handle_bound(const request& r, time_point now) {
  auto* c = peers_.find_channel(r.what.number);
  if (c == nullptr) return;
  c->state = grant::active;
  c->renewing = false;
  c->expires = r.sent + channel_lifetime;
  c->renew_at = r.sent + channel_renewal;
  // RFC 8656, 12.2: binding installs or refreshes the permission as well. One that stands keeps its
  // date of renewal, so that it is renewed along with the others.
  const auto* p = peers_.find_permission(r.what.peer.ip);
  if (p != nullptr && p->state != grant::active) activate(r.what.peer.ip, r, now);
}

// Without a channel the peer is reached by Send indications, so this is no event.
void client::state::handle_bind_error(const request& r, int code, time_point now) {
  if (code == 437 || code == 441) return fail(code, explain(code));
  auto* c = peers_.find_channel(r.what.number);
  if (c == nullptr) return;
  c->renewing = false;
  if (c->state == grant::active && now + renewal_retry < c->expires && (code == 0 || code >= 500)) {
    c->renew_at = now + renewal_retry;
  } else {
    c->state = grant::refused;
  }
}

}  // namespace nat::turn
