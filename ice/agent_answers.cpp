#include "ice/agent_state.hpp"
#include "ice/pairing.hpp"
#include "ice/role_conflict.hpp"

namespace nat::ice {
namespace {

constexpr unsigned max_conflicts = 8;  // one is the rule, two where the requests crossed

}  // namespace

bool agent::state::handle_answer(const path& from, const stun::message_view& message,
                                 time_point now) {
  auto* p = list.find(message.id());
  if (p == nullptr) return false;
  const auto* key = keys.of(p->generation);
  if (key == nullptr || !key->remote ||
      !message.authenticate(as_bytes(key->remote->password)).has_value()) {
    ++counters.unauthenticated;
    return true;
  }
  if (p->via != from) {
    // RFC 8445, 7.2.5.2.1: not symmetric, so not a path. One that works already is not given up
    // for a copy that took another way.
    ++counters.unexpected;
    if (!p->valid()) fail(*p);
    return true;
  }
  const auto answer = p->checks.take_answer(message.id());
  if (!answer || (!answer->check && p->answered)) {  // a late answer counts once
    ++counters.unexpected;
    return true;
  }
  if (message.type().kind == stun::kind::error) {
    const auto error = message.get<stun::attr::error_code>();
    handle_error(*p, error ? error->code : 0, *answer, now);
    return true;
  }
  const auto mapped = message.get<stun::attr::xor_mapped_address>();
  if (!mapped) {
    ++counters.malformed;
    return true;
  }
  succeed(*p, *mapped, *answer, now);
  return true;
}

void agent::state::handle_error(pair& p, int code, const check_log::answer& answer,
                                time_point now) {
  if (code == 487) {
    // RFC 8445, 7.2.5.1. Only the first of several 487 turns us round, and a peer that sends them
    // whatever we say is left to the ordinary timers.
    if (!answer.check) return;
    if (answer.check->as == mine) {
      if (++conflicts > max_conflicts) return;
      set_role(other(mine), now);
    }
    if (p.valid()) return verify(p, now);
    p.heard = p.heard.value_or(now);  // it arrived there, and the way back is open
    trigger(p, now);
    return;
  }
  ++counters.unexpected;
  if (!p.valid()) fail(p);  // 7.2.5.2.4
}

void agent::state::succeed(pair& p, const endpoint& mapped, const check_log::answer& answer,
                           time_point now) {
  const bool was_valid = p.valid();
  ++p.responses_received;
  p.answered = now;
  p.sends = 0;
  p.rtt.add(now - answer.sent_before);
  if (!was_valid) {
    p.state = pair_state::succeeded;
    p.local = locals.seen_as(p.local, mapped, check_priority(p.local));
    p.priority = mine == role::controlling ? pair_priority(p.local.priority, p.remote.priority)
                                           : pair_priority(p.remote.priority, p.local.priority);
  }
  if (&p == selected) trust.answered(now);

  const bool confirms = mine == role::controlling && p.nomination != 0 && answer.check &&
                        answer.check->as == mine && answer.check->nomination == p.nomination;
  const bool newly_nominated = confirms && !p.nominated;
  if (confirms) p.nominated = true;
  const bool open = &p == selected && mine == role::controlling && !p.nominated;
  p.brisk = open;
  if (!open) schedule_upkeep(p, now);  // else the check that nominates has its own deadline

  const auto before = emitted;
  if (!was_valid || lost) consider(p, now);
  if (&p != selected) p.nominated = false;  // another one was first
  if (&p == selected && newly_nominated && emitted == before) announce();
  if (!was_valid && p.promised_at) {
    const auto number = p.promised != 0 ? std::optional(p.promised) : std::nullopt;
    p.promised_at.reset();
    if (mine == role::controlled) take_nomination(p, number, now);
  }
  if (!was_valid) refresh_upkeep(now);
}

}  // namespace nat::ice
