#include <algorithm>

#include "ice/agent_state.hpp"
#include "ice/backups.hpp"
#include "ice/pairing.hpp"

namespace nat::ice {
namespace {

// A check on a path that the peer was heard on is repeated sooner: what it waits for can only be
// lost, not early.
constexpr duration heard_rto = std::chrono::milliseconds{100};
constexpr int settled_pacing = 4;      // times Ta
constexpr unsigned settled_sends = 4;  // of a pair that does not answer

}  // namespace

bool agent::state::can_check(const pair& p) const {
  const auto* key = keys.of(p.generation);
  return key != nullptr && key->remote.has_value();
}

duration agent::state::rto_of(const pair& p) const {
  return p.rtt.rto(config.initial_rto, std::chrono::milliseconds{50});
}

// A direct path carries data: what is still checked is for comfort, and may take its time.
bool agent::state::settled() const {
  return selected != nullptr && !lost && relays_of(*selected) == 0;
}

unsigned agent::state::max_sends(const pair& p) const {
  if (p.reliable()) return 1;
  return selected != nullptr && !lost ? std::min(config.max_check_sends, settled_sends)
                                      : config.max_check_sends;
}

duration agent::state::unanswered_rto(const pair& p) const {
  return p.heard ? std::min(config.initial_rto, heard_rto) : config.initial_rto;
}

void agent::state::send_due(time_point now) {
  for (const bool urgent : {true, false}) {
    for (const auto& p : list.all()) {
      if (p->due && *p->due <= now && p->urgent == urgent && can_check(*p)) check_due(*p, now);
    }
  }
}

void agent::state::check_due(pair& p, time_point now) {
  p.due.reset();
  switch (p.state) {
    case pair_state::frozen:
    case pair_state::failed:
      return;
    case pair_state::waiting:
      break;
    case pair_state::in_progress:
      if (p.sends >= max_sends(p)) return fail(p);
      break;
    case pair_state::succeeded:
      if (p.brisk && &p != selected && p.sends >= max_brisk_sends) return fail(p);
      if (!p.brisk && p.upkeep == duty::none) return;
      if (p.upkeep == duty::backup) p.brisk = true;
      break;
  }
  send_check(p, now);
}

void agent::state::send_ordinary(time_point now) {
  const auto& k = keys.current();
  timers.stop(timer::pacing);
  if (!k.remote) return;
  auto* next = list.next_waiting(locals, k.generation);
  if (next != nullptr && next_ordinary <= now) {
    send_check(*next, now);
    next_ordinary = now + config.pacing * (settled() ? settled_pacing : 1);
    next = list.next_waiting(locals, k.generation);
  }
  if (next != nullptr) timers.set(timer::pacing, next_ordinary);
}

void agent::state::send_check(pair& p, time_point now) {
  const auto& key = *keys.of(p.generation);
  const auto hold = hold_for(p, now);
  const bool opener = hold && *hold > now && !p.opened;
  if (p.state == pair_state::waiting) {
    p.state = pair_state::in_progress;
    list.note_started(p);
  }
  const auto nomination = opener ? 0 : nomination_for(p);
  const auto id = p.checks.record({now, mine, nomination}, random);
  push(p.via,
       make_check({.id = id,
                   .username = key.username,
                   .password = key.remote->password,
                   .priority = check_priority(p.local),
                   .role = mine,
                   .tie_breaker = tie_breaker,
                   .nomination = nomination,
                   .nomination_attribute = config.renomination}),
       opener ? std::optional(config.opener_hop_limit) : std::nullopt);
  ++p.checks_sent;
  p.urgent = false;
  if (opener) {
    p.opened = now;
    p.due = hold;
    return;
  }
  p.last_sent = now;
  ++p.sends;
  if (&p == selected) trust.asked(now);
  if (!p.valid()) {
    const check_schedule schedule{.initial_rto = unanswered_rto(p),
                                  .reliable_wait = config.patience,
                                  .pacing = config.pacing};
    p.due = now + (p.reliable() ? schedule.reliable_wait
                                : schedule.wait_after(p.sends, list.active(p.generation)));
  } else if (p.brisk) {
    const bool doubted = trust.raised().has_value();
    p.due = now + brisk_wait(p.sends, doubted ? round_trip(p) / 2 : rto_of(p));
  } else {
    schedule_upkeep(p, now);
  }
}

std::optional<time_point> agent::state::hold_for(const pair& p, time_point now) const {
  if (p.valid()) return std::nullopt;
  const bool heard = std::ranges::any_of(list.all(), [&](const auto& other) {
    return other->heard && other->via.remote == p.via.remote;
  });
  return opener_hold({config.opener_hop_limit, config.opener_gap},
                     {.from = locals.find(p.via.proto, p.via.local),
                      .to = &p.remote,
                      .heard = heard,
                      .more_expected = !locals.ended,
                      .signaling_delay = signaling_delay,
                      .now = p.opened.value_or(now)});
}

// Nothing is selected and the peer's check has arrived: ours will most likely be the first that
// succeeds, so it nominates in the same round trip. One at a time.
std::uint32_t agent::state::nomination_for(pair& p) {
  if (mine != role::controlling) return 0;
  if (&p == selected) return p.nominated ? 0 : p.nomination;
  if (selected != nullptr || !p.heard) return 0;
  const bool another = std::ranges::any_of(list.all(), [&](const auto& o) {
    return o.get() != &p && o->nomination != 0 && o->state == pair_state::in_progress;
  });
  if (another) return 0;
  if (p.nomination == 0) p.nomination = ++nominations;
  return p.nomination;
}

// RFC 8445, 7.3.1.4: the peer's check came in. A check of ours that is under way is not waited for,
// unless it left after the peer had opened the path and may yet be answered.
void agent::state::trigger(pair& p, time_point now) {
  if (p.state == pair_state::in_progress && p.heard && p.last_sent && *p.last_sent >= *p.heard &&
      now - *p.last_sent < unanswered_rto(p)) {
    return;
  }
  p.due = now;
  if (p.state == pair_state::failed) {
    // What made it fail may well do so again: no faster than a lost check is repeated.
    p.state = pair_state::waiting;
    if (p.last_sent) p.due = std::max(now, *p.last_sent + config.initial_rto);
  }
  p.sends = 0;
  p.urgent = true;
}

void agent::state::verify(pair& p, time_point now) {
  if (p.brisk && p.last_sent && now - *p.last_sent < rto_of(p)) return;
  p.brisk = true;
  p.sends = 0;
  p.due = now;
  p.urgent = true;
}

void agent::state::fail(pair& p) {
  p.state = pair_state::failed;
  p.due.reset();
  p.urgent = p.brisk = false;
  p.nominated = false;
  p.nomination = 0;
  p.upkeep = duty::none;
}

void agent::state::retry(pair& p) {
  p.state = pair_state::waiting;
  p.due.reset();
  p.sends = 0;
  p.urgent = p.brisk = false;
}

void agent::state::retry_failed(bool direct_only) {
  for (const auto& p : list.all()) {
    if (p->state != pair_state::failed || p->generation != keys.current().generation) continue;
    if (!direct_only || relays_of(*p) == 0) retry(*p);
  }
}

void agent::state::schedule_upkeep(pair& p, time_point now) {
  switch (p.upkeep) {
    case duty::none:
      p.due.reset();
      break;
    case duty::backup:
      p.due = now + jittered(config.backup_interval, random);
      break;
    case duty::consent:
      p.due = now + jittered(config.consent_interval, random);
      break;
  }
}

}  // namespace nat::ice
