#include <algorithm>

#include "ice/agent_state.hpp"
#include "ice/pairing.hpp"

namespace nat::ice {

check_list::predicate agent::state::must_stay() const {
  return [this](const pair& p) { return &p == selected; };
}

void agent::state::drop_pairs(const check_list::predicate& gone) {
  if (selected != nullptr && gone(*selected)) selected = nullptr;
  list.remove_if(gone);
}

void agent::state::pair_up(const door& d, const candidate& remote, time_point now) {
  if (!can_pair(d, remote)) return;
  const auto before = list.refused;
  if (list.form(d, remote, keys.current().generation, mine, false, must_stay()) != nullptr &&
      at == phase::failed) {
    at = phase::searching;
  }
  counters.limited += list.refused - before;
  last_news = now;
}

// What was learned as peer-reflexive has been signalled: the pair is the same, its kind may not be.
void agent::state::rename_remote(const candidate& c) {
  for (const auto& p : list.all()) {
    if (p->via.remote != c.address || p->via.proto != c.proto) continue;
    const auto relays = relays_of(*p);
    p->remote = c;
    if (p.get() == selected && relays_of(*p) != relays) announce();
  }
  list.prioritise(mine);
}

void agent::add_local(const candidate& c, time_point now) {
  auto& s = *state_;
  if (!is_usable(c.base)) return;
  switch (s.locals.add(c, now)) {
    case local_candidates::result::known:
      return;
    case local_candidates::result::refused:
      ++s.counters.limited;
      return;
    case local_candidates::result::new_door:
      for (const auto& r : s.remotes.all()) s.pair_up(*s.locals.find(c.proto, c.base), r, now);
      break;
    case local_candidates::result::added_to_door: {
      // Openers that went out before this address was known need not hold longer than it asks.
      for (const auto& p : s.list.all()) {
        if (p->via.local != c.base || !p->opened || p->last_sent || p->urgent) continue;
        if (const auto hold = s.hold_for(*p, now)) p->due = earlier(p->due, std::max(*hold, now));
      }
      break;
    }
  }
  if (!s.first_announced) s.first_announced = now;
  s.act_on_early(now);
  s.advance(now);
}

void agent::end_of_local(time_point now) {
  state_->locals.ended = true;
  state_->advance(now);
}

void agent::remove_local(const endpoint& base, time_point now) {
  auto& s = *state_;
  if (!s.locals.remove(base)) return;
  const bool had_path = s.selected != nullptr;
  s.drop_pairs([&](const pair& p) { return p.local.base == base; });
  if (had_path && s.selected == nullptr) s.handle_lost_door(now);
  s.refresh_upkeep(now);
  s.advance(now);
}

void agent::add_remote(const candidate& c, time_point now) {
  auto& s = *state_;
  if (!is_usable(c.address)) {
    ++s.counters.malformed;
    return;
  }
  switch (s.remotes.add(c)) {
    case remote_candidates::result::known:
      return;
    case remote_candidates::result::refused:
      ++s.counters.limited;
      return;
    case remote_candidates::result::updated:
      s.rename_remote(c);
      break;
    case remote_candidates::result::added:
      break;
  }
  for (const auto& d : s.locals.doors()) s.pair_up(d, c, now);
  s.advance(now);
}

void agent::end_of_remote(time_point now) {
  state_->remotes.ended = true;
  state_->advance(now);
}

void agent::set_remote(credentials remote, time_point now) {
  auto& s = *state_;
  if (!is_well_formed(remote)) {
    ++s.counters.malformed;
    return;
  }
  const auto& known = s.keys.current().remote;
  if (known == remote) return;
  if (known) {  // the peer alone has restarted: what was tried with the old ones proves nothing
    for (const auto& p : s.list.all()) {
      if (p.get() != s.selected) s.retry(*p);
    }
  } else if (s.first_announced && s.config.initial_role == role::controlling) {
    // Whoever offers controls (RFC 8445, 6.1.1), and has waited for the answer.
    s.signaling_delay = (now - *s.first_announced) / 2;
  }
  s.keys.set_remote(std::move(remote));
  s.last_news = now;
  s.act_on_early(now);
  s.advance(now);
}

void agent::restart(credentials local, time_point now) {
  auto& s = *state_;
  s.drop_pairs([&](const pair& p) { return &p != s.selected; });
  s.keys.restart(std::move(local), s.selected != nullptr ? s.selected->generation : 0);
  s.locals.clear();
  s.remotes.clear();
  s.early.clear();
  s.followed.clear();
  s.conflicts = 0;
  s.first_announced.reset();
  s.signaling_delay = s.config.signaling_delay;
  s.timers.stop(timer::old_generation);
  s.started = s.last_news = now;
  if (s.selected == nullptr) s.at = state::phase::searching;
  s.advance(now);
}

}  // namespace nat::ice
