// The exchange's ends: deadlines, closing, draining.

#include <algorithm>
#include <cmath>

#include "protocol/base/ensure.hpp"
#include "signaling/hub/exchange.hpp"

namespace nat::hub {

namespace {

using websocket::close_code;
using namespace std::chrono_literals;

constexpr auto departure_step = 250ms;
constexpr std::size_t min_departures = 64;  // in one step
// A client that is looked at anyway, half of idle_timeout after its last ping, is pinged if its
// answer to that came within this part of idle_timeout: 1 s. It would have to be looked at again.
constexpr int early_ping = 60;

close_code code_for(closing why) noexcept {
  switch (why) {
    case closing::too_large:
      return close_code::too_big;
    case closing::superseded:
      return close_code::superseded;
    case closing::draining:
    case closing::fenced:
      return close_code::going_away;
    case closing::overloaded:
      return close_code::try_again_later;
    default:
      return close_code::policy_violation;
  }
}

}  // namespace

// An error where the contract has one, then the close.
void exchange::close(std::uint32_t slot, closing why, time_point now) {
  auto& c = clients_[slot];
  if (c.closing) return;
  if (why == closing::too_large) {
    refuse(slot, error_code::too_large,
           "A message may have " + std::to_string(limits_.max_message_bytes) + " bytes.");
  } else if (why == closing::flooding) {
    refuse(slot, error_code::rate_limited, "Far too many messages: this connection is closed.");
  } else if (why == closing::unregistered) {
    refuse(slot, error_code::not_registered, "No registration came in time.");
  } else if (why == closing::draining) {
    send(slot, signal::to_json(signal::server_message(signal::going_away_message{})));
  }
  if (c.closing) return;  // the error found the queue full
  c.closing = true;
  ++stats_.closed[static_cast<std::size_t>(why)];
  let_go(slot, ending::unclean, now);
  // What waits is in the way of a close, is what there is too much of, or is another owner's by
  // now.
  const bool hopeless = why == closing::too_slow || why == closing::silent ||
                        ((why == closing::overloaded || why == closing::fenced) && c.waiting > 0);
  queue(hopeless ? output::type::abort : output::type::close, slot, to_string(why), code_for(why));
}

void exchange::handle_violation(std::uint32_t slot, close_code code, std::string_view why,
                                time_point now) {
  rewind_outputs();
  auto& c = clients_[slot];
  if (c.closing) return;
  c.closing = true;
  ++stats_.closed[static_cast<std::size_t>(closing::violation)];
  let_go(slot, ending::unclean, now);
  queue(output::type::close, slot, why, code);
}

// After this the name is no longer this connection's to speak for.
void exchange::let_go(std::uint32_t slot, ending how, time_point now) {
  auto& c = clients_[slot];
  if (c.generation == 0) return;
  if (fence_ != nullptr) {  // a name of the cluster is held there
    envelopes_.push_back(
        {.what = how == ending::clean ? envelope::type::left : envelope::type::held,
         .to = {.loop = cluster_place},
         .from = {loop_, slot, c.generation},
         .target = c.name,
         .client = c.remote});
    how = ending::clean;
  }
  directory_.release(c.name, c.generation, how, c.remote, now);
  c.generation = 0;
}

void exchange::handle_overload(std::uint32_t slot, time_point now) {
  rewind_outputs();
  close(slot, closing::overloaded, now);
}

void exchange::handle_closed(std::uint32_t slot, ending how, time_point now) {
  rewind_outputs();
  auto& c = clients_[slot];
  ensure(c.connected);
  let_go(slot, how, now);
  c = client{.serial = c.serial, .remote = {}, .reached = {}};
  free_.push_back(slot);
  --stats_.connections;
  drop_stale_deadlines();
}

void exchange::drain(time_point now, duration over) {
  rewind_outputs();
  departure_ = {.begun = now, .over = over, .clients = stats_.connections, .at = now};
  send_away(now);
}

// The share of the time that has passed with this step; a step that comes late is a larger one.
void exchange::send_away(time_point now) {
  if (!departure_ || !departure_->at || now < *departure_->at) return;
  auto& d = *departure_;
  const auto passed = now - d.begun + departure_step;
  auto share = std::max(min_departures, d.clients);
  if (passed < d.over) {
    const auto part = static_cast<double>(passed.count()) / static_cast<double>(d.over.count());
    share = static_cast<std::size_t>(std::ceil(part * static_cast<double>(d.clients)));
    share = std::max(share, d.told + min_departures);
  }
  for (; d.next < clients_.size() && d.told < share; ++d.next) {
    if (!clients_[d.next].connected || clients_[d.next].closing) continue;
    close(d.next, closing::draining, now);
    ++d.told;
  }
  d.at = d.next < clients_.size() ? std::optional(now + departure_step) : std::nullopt;
}

std::optional<time_point> exchange::deadline_of(const client& c) const {
  std::optional<time_point> when;
  if (c.name.empty() && limits_.register_timeout.count() != 0) when = c.registered_by;
  if (limits_.idle_timeout.count() != 0) when = earlier(when, silent_until(c));
  return when;
}

// It has the second half of the time for its answer, however late the ping was.
time_point exchange::silent_until(const client& c) const {
  const auto half = limits_.idle_timeout / 2;
  if (c.pinged_at <= c.heard_at) return c.heard_at + half;
  return std::max(c.heard_at + limits_.idle_timeout, c.pinged_at + half);
}

void exchange::schedule(std::uint32_t slot) {
  if (const auto when = deadline_of(clients_[slot])) {
    deadlines_.push({*when, slot, clients_[slot].serial});
  }
}

std::optional<time_point> exchange::next_timeout() const {
  return earlier(earlier(deadlines_.next(), slow_.next()),
                 departure_ ? departure_->at : std::nullopt);
}

void exchange::handle_timeout(time_point now) {
  rewind_outputs();
  queue_peak_.pass(now);
  stats_.queue_high_water = queue_peak_.value();
  if (fenced_off(now)) return;
  send_away(now);
  while (const auto due = deadlines_.pop_due(now)) {
    const auto& c = clients_[due->slot];
    if (c.connected && !c.closing && c.serial == due->serial) look_after(due->slot, now);
  }
  while (const auto due = slow_.pop_due(now)) {
    const auto& c = clients_[due->slot];
    const bool waited = c.full && c.full_since + limits_.slow_timeout <= now;
    if (c.connected && c.serial == due->serial && waited) {
      close(due->slot, closing::too_slow, now);
    }
  }
}

// A message found the queue full: from here on it has to make headway. A queue that is empty has
// no need to: the message alone is too large for it.
void exchange::note_full(std::uint32_t slot, time_point now) {
  auto& c = clients_[slot];
  if (c.full || c.waiting == 0 || limits_.slow_timeout.count() == 0) return;
  c.full = true;
  c.full_since = now;
  c.headway = 0;
  slow_.push({now + limits_.slow_timeout, slot, c.serial});
  if (slow_.size() < 2 * stats_.connections + 1024) return;
  slow_.drop([this](const deadline_queue::entry& e) {
    const auto& of = clients_[e.slot];
    return !of.connected || of.serial != e.serial || !of.full ||
           of.full_since + limits_.slow_timeout != e.when;
  });
}

void exchange::look_after(std::uint32_t slot, time_point now) {
  auto& c = clients_[slot];
  if (c.name.empty() && limits_.register_timeout.count() != 0 && now >= c.registered_by) {
    return close(slot, closing::unregistered, now);
  }
  if (limits_.idle_timeout.count() != 0) {
    const bool pinged = c.pinged_at > c.heard_at;
    if (pinged && now >= silent_until(c)) return close(slot, closing::silent, now);
    if (!pinged && now >= silent_until(c) - limits_.idle_timeout / early_ping) {
      c.pinged_at = now;
      queue(output::type::ping, slot, {});
      // Looked at again after the same time for all, so that they stand in line: an answer that
      // took longer than another's does not put its client behind it.
      const auto when = *earlier(deadline_of(c), now + limits_.idle_timeout / 2);
      return deadlines_.push({when, slot, c.serial});
    }
  }
  schedule(slot);
}

void exchange::drop_stale_deadlines() {
  if (deadlines_.size() < 2 * stats_.connections + 1024) return;
  deadlines_.drop([this](const deadline_queue::entry& e) {
    const auto& c = clients_[e.slot];
    return !c.connected || c.serial != e.serial;
  });
}

}  // namespace nat::hub
