#include <algorithm>

#include "ice/agent_state.hpp"
#include "ice/backups.hpp"
#include "ice/pairing.hpp"

namespace nat::ice {
namespace {

using namespace std::chrono_literals;

// A doubted path for which nothing else answers is reported after this long, and all pairs are
// tried again this often while it lasts.
constexpr duration disconnected_after = 2s;
constexpr duration retry_interval = 4s;
// While a relay carries the data, direct pairs that failed are tried again this often: NATs and
// networks change.
constexpr duration upgrade_interval = 30s;
// Alternatives that are verified at once when doubt arises; the rest have their turn later.
constexpr std::size_t max_verified_at_once = 8;

}  // namespace

// ---- choosing ----

// A pair has become valid, or was answered while there is no path.
void agent::state::consider(pair& p, time_point now) {
  if (selected == nullptr) return select(p, now);
  if (&p == selected) {
    lost = false;
    if (at == phase::disconnected) {
      at = phase::connected;
      announce();
    }
    return;
  }
  // Once the controlling side has spoken only it moves the path, as long as the path works.
  if (mine == role::controlled && followed.any() && !lost) return;
  if (lost || is_better(p, *selected)) select(p, now);
}

void agent::state::select(pair& p, time_point now) {
  if (selected != nullptr && selected != &p) {
    selected->nominated = false;
    selected->brisk = false;
    if (trust.raised()) retry(*selected);  // has to show again that it works
    if (p.generation != selected->generation) {
      timers.set(timer::old_generation, now + config.consent_expiry);
    }
  }
  selected = &p;
  had_path = true;
  lost = false;
  at = phase::connected;
  trust.forget();
  trust.received(p.answered.value_or(now));
  if (relays_of(p) != 0) {
    timers.set(timer::retry, now + jittered(upgrade_interval, random));
  } else {
    timers.stop(timer::retry);
  }
  if (mine == role::controlling && !(p.nominated && p.nomination == nominations)) {
    nominate(p, now);
  }
  refresh_upkeep(now);
  announce();
}

void agent::state::nominate(pair& p, time_point now) {
  p.nominated = false;
  p.nomination = ++nominations;
  p.brisk = true;
  p.sends = 0;
  p.due = now;
  p.urgent = true;
}

duration agent::state::round_trip(const pair& p) const {
  return p.rtt.smoothed().value_or(config.initial_rto);
}

void agent::state::announce() {
  auto remote = selected->remote;
  if (is_relayed(remote)) remote.kind = candidate_kind::relayed;  // what people are told
  emit(connected{.via = selected->via,
                 .local = selected->local,
                 .remote = remote,
                 .nominated = selected->nominated,
                 .rtt = round_trip(*selected)});
}

void agent::state::refresh_upkeep(time_point now) {
  assign_upkeep(list, selected);
  for (const auto& p : list.all()) {
    if (!p->valid() || p->brisk) continue;
    if (p->upkeep == duty::none) {
      p->due.reset();
    } else if (!p->due) {
      schedule_upkeep(*p, now);
    }
  }
}

// ---- watching ----

void agent::state::raise_doubt(time_point now, bool one_way) {
  if (selected == nullptr || trust.raised()) return;
  trust.raise(now, one_way);
  verify(*selected, now);
  std::vector<pair*> alternatives;
  for (const auto& p : list.all()) {
    if (p->valid() && p.get() != selected) alternatives.push_back(p.get());
  }
  std::ranges::sort(alternatives, [](const pair* a, const pair* b) {
    return a->upkeep != b->upkeep ? a->upkeep > b->upkeep : a->priority > b->priority;
  });
  for (std::size_t i = 0; i < std::min(alternatives.size(), max_verified_at_once); ++i) {
    verify(*alternatives[i], now);
  }
}

void agent::state::watch_path(time_point now) {
  if (selected == nullptr) {
    if (at == phase::disconnected && now >= lost_since + config.consent_expiry) {
      at = phase::failed;
      emit(failed{.was_connected = true});
    }
  } else if (now >= selected->answered.value_or(now) + config.consent_expiry) {
    handle_lost_consent(now);
  } else if (!trust.raised()) {
    const auto at_risk = trust.raised_at(round_trip(*selected));
    if (at_risk && *at_risk <= now) raise_doubt(now);
  } else if (const auto dead = trust.dead_at(round_trip(*selected)); dead && *dead <= now) {
    handle_dead_path(now);
  }
  if (timers.due(timer::retry, now)) {
    const bool have_path = selected != nullptr && !lost;
    retry_failed(have_path);
    if (at == phase::searching) {
      timers.stop(timer::retry);
    } else {
      timers.set(timer::retry, now + (have_path ? upgrade_interval : retry_interval));
    }
  }
}

void agent::state::handle_dead_path(time_point now) {
  if (auto* other = best_alternative(list, selected, *trust.raised())) {
    return select(*other, now);
  }
  if (!lost) {
    lost = true;
    retry_failed(false);
    timers.set(timer::retry, now + retry_interval);
  }
  if (at == phase::connected && now >= *trust.raised() + disconnected_after) {
    at = phase::disconnected;
    emit(disconnected{});
  }
}

// RFC 7675, 5.1: nothing more may be sent there.
void agent::state::handle_lost_consent(time_point now) {
  fail(*selected);
  selected = nullptr;
  lost = false;
  trust.forget();
  timers.stop(timer::retry);
  if (auto* other = best_alternative(list, nullptr, now - config.consent_expiry)) {
    return select(*other, now);
  }
  at = phase::failed;
  emit(failed{.was_connected = true});
}

// The selected pair went with its interface or allocation. What was answered lately is used at
// once, and verified while it is.
void agent::state::handle_lost_door(time_point now) {
  lost = false;
  trust.forget();
  if (auto* other = best_alternative(list, nullptr, now - config.consent_expiry)) {
    select(*other, now);
    return raise_doubt(now);
  }
  at = phase::disconnected;
  lost_since = now;
  emit(disconnected{});
  retry_failed(false);
  timers.set(timer::retry, now + retry_interval);
}

void agent::state::arm_path(time_point now) {
  timers.stop(timer::doubt);
  timers.stop(timer::consent);
  if (selected == nullptr) {
    if (at == phase::disconnected) timers.set(timer::consent, lost_since + config.consent_expiry);
    return;
  }
  timers.set(timer::consent, selected->answered.value_or(now) + config.consent_expiry);
  if (!trust.raised()) {
    timers.set(timer::doubt, trust.raised_at(round_trip(*selected)));
  } else if (!lost) {
    timers.set(timer::doubt, trust.dead_at(round_trip(*selected)));
  } else if (at == phase::connected) {
    timers.set(timer::doubt, std::max(*trust.raised() + disconnected_after,
                                      *trust.dead_at(round_trip(*selected))));
  }
}

}  // namespace nat::ice
