#include <array>

#include "ice/agent_state.hpp"
#include "ice/pairing.hpp"
#include "ice/role_conflict.hpp"

namespace nat::ice {

bool agent::state::handle_request(const path& from, const stun::message_view& message,
                                  time_point now) {
  // Agents may share a socket: a check for another one is handed on.
  const auto name = read_username(message);
  const auto* key = name ? keys.by_local_ufrag(name->ours) : nullptr;
  if (key == nullptr) {
    ++counters.unexpected;
    return false;
  }
  // RFC 8489, 9.1.3 has these answered with 400 and 401. Nothing is sent to whom we don't know.
  const auto verified = message.authenticate(as_bytes(key->local.password));
  if (!verified) {
    ++counters.unauthenticated;
    return true;
  }
  const std::string_view password = key->local.password;
  if (std::array<std::uint16_t, 1> unknown; message.unknown_required(unknown) != 0) {
    push(from, make_unknown_attribute(message, password));
    return true;
  }

  auto check = read_check(*verified);
  const auto roles =
      resolve_conflict(mine, tie_breaker, check.role.value_or(other(mine)), check.tie_breaker);
  if (roles == conflict::switch_role) set_role(other(mine), now);
  if (roles == conflict::answer_487) check.use_candidate = false;  // not its to say
  push(from, roles == conflict::answer_487 ? make_role_conflict(message.id(), password)
                                           : make_success(message.id(), from.remote, password));

  if (key->generation != keys.current().generation) {
    if (auto* old = list.find(from, key->generation); old != nullptr) {
      ++old->checks_received;
      old->heard = old->heard.value_or(now);
      if (old == selected) trust.received(now);
    }
    return true;
  }
  const bool ready = key->remote && key->remote->ufrag == name->theirs &&
                     locals.find(from.proto, from.local) != nullptr;
  if (ready) {
    take_check(from, check, now);
  } else if (!early.add({from, std::string(name->theirs), check, now})) {
    ++counters.limited;
  }
  return true;
}

void agent::state::act_on_early(time_point now) {
  const auto& k = keys.current();
  const auto ready = early.take([&](const early_check& c) {
    return k.remote && k.remote->ufrag == c.remote_ufrag &&
           locals.find(c.from.proto, c.from.local) != nullptr;
  });
  for (const auto& c : ready) take_check(c.from, c.what, now);
}

// RFC 8445, 7.3.1.3 to 7.3.1.5. A request that was answered with 487 comes this far too: it is
// authenticated, it shows that the path works one way, and a check back costs nothing.
void agent::state::take_check(const path& from, const incoming_check& check, time_point now) {
  auto* p = learn_path(from, check);
  if (p == nullptr) {
    ++counters.limited;
    return;
  }
  ++p->checks_received;
  if (p == selected) trust.received(now);
  if (!p->valid()) trigger(*p, now);
  p->heard = p->heard.value_or(now);
  if (at == phase::failed) at = phase::searching;  // RFC 8863: it was not over
  if (check.use_candidate && mine == role::controlled) {
    take_nomination(*p, check.nomination, now);
  }
}

pair* agent::state::learn_path(const path& from, const incoming_check& check) {
  const auto generation = keys.current().generation;
  if (auto* known = list.find(from, generation)) return known;
  const auto* remote = learn_remote(from, check);
  if (remote == nullptr) return nullptr;
  return list.form_on(from, *locals.find(from.proto, from.local), *remote, generation, mine, true,
                      must_stay());
}

const candidate* agent::state::learn_remote(const path& from, const incoming_check& check) {
  if (const auto* known = remotes.find(from.proto, from.remote)) return known;
  candidate learned;
  learned.kind = candidate_kind::peer_reflexive;
  learned.proto = from.proto;
  learned.address = learned.base = from.remote;
  learned.priority = check.priority.value_or(candidate_priority(candidate_kind::peer_reflexive, 0));
  learned.foundation = "prflx";
  if (remotes.add(learned) == remote_candidates::result::refused) {
    const auto gone = remotes.evict([&](const candidate& c) {
      for (const auto& p : list.all()) {
        if (p->via.remote == c.address && p->via.proto == c.proto &&
            (p.get() == selected || p->valid() || p->heard)) {
          return false;
        }
      }
      return true;
    });
    if (!gone) return nullptr;
    drop_pairs([&](const pair& p) {
      return p.via.remote == gone->address && p.via.proto == gone->proto && &p != selected;
    });
    remotes.add(learned);
  }
  return remotes.find(from.proto, from.remote);
}

void agent::state::take_nomination(pair& p, std::optional<std::uint32_t> number, time_point now) {
  if (!p.valid()) {
    // RFC 8445, 7.3.1.5: nominated once its own check succeeds.
    p.promised = number.value_or(0);
    p.promised_at = now;
    return;
  }
  if (&p == selected && p.nominated) {
    return followed.follow(number, now);
  }
  if (!followed.accepts(p, number, lost ? nullptr : selected, now)) return;
  followed.follow(number, now);
  p.nominated = true;
  if (&p == selected) {
    announce();
  } else {
    select(p, now);
  }
}

void agent::state::set_role(ice::role r, time_point now) {
  mine = r;
  followed.clear();
  for (const auto& p : list.all()) {
    p->nominated = false;
    p->nomination = 0;
    p->promised_at.reset();
  }
  list.prioritise(mine);
  if (mine == role::controlling && selected != nullptr) nominate(*selected, now);
}

}  // namespace nat::ice
