#include "tests/ice/wire.hpp"

#include <algorithm>

namespace nat::ice::test {

endpoint at(std::string_view text) {
  const auto parsed = parse_endpoint(text);
  REQUIRE(parsed);
  return *parsed;
}

candidate host(std::string_view address, std::uint16_t preference) {
  candidate c;
  c.address = c.base = at(address);
  c.priority = candidate_priority(candidate_kind::host, preference);
  c.foundation = "host";
  return c;
}

candidate reflexive(std::string_view address, std::string_view base, std::uint16_t preference) {
  candidate c;
  c.kind = candidate_kind::server_reflexive;
  c.address = at(address);
  c.base = at(base);
  c.priority = candidate_priority(c.kind, preference);
  c.foundation = "srflx";
  return c;
}

candidate relayed(std::string_view address) {
  candidate c = host(address);
  c.kind = candidate_kind::relayed;
  c.priority = candidate_priority(c.kind, 65535);
  c.foundation = "relay";
  return c;
}

candidate signalled(candidate c) {
  c.base = c.address;
  return c;
}

std::size_t site::count_failed() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      events, [](const event& e) { return std::holds_alternative<failed>(e); }));
}

std::size_t site::count_disconnected() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      events, [](const event& e) { return std::holds_alternative<disconnected>(e); }));
}

wire::wire(std::uint64_t seed, duration d) : random(seed), delay(d) {}

void wire::make(site& s, role r, const std::function<void(agent_config&)>& change) {
  agent_config config;
  config.initial_role = r;
  s.keys = {random_text(random, 8), random_text(random, 24)};
  config.local = s.keys;
  if (change) change(config);
  s.agent = std::make_unique<ice::agent>(config, random, now);
}

void wire::know(site& s, const candidate& c) {
  s.locals.push_back(c);
  if (c.address != c.base) s.outside[c.base] = c.address;
  s.agent->add_local(c, now);
  settle();
}

void wire::tell_keys(site& to) {
  to.agent->set_remote(other(to).keys, now);
  settle();
}

void wire::tell(site& to, const candidate& c) {
  to.agent->add_remote(signalled(c), now);
  settle();
}

void wire::tell_all(site& to) {
  tell_keys(to);
  for (const auto& c : other(to).locals) tell(to, c);
}

void wire::introduce() {
  for (auto* s : {&a, &b}) {
    tell_all(*s);
    s->agent->end_of_local(now);
    s->agent->end_of_remote(now);
  }
  settle();
}

void wire::settle() {
  drain(a);
  drain(b);
}

void wire::drain(site& s) {
  if (!s.agent) return;
  while (auto t = s.agent->poll_transmit()) leave(s, *t);
  while (auto e = s.agent->poll_event()) {
    if (const auto* c = std::get_if<connected>(&*e)) s.paths.emplace_back(now, *c);
    s.events.push_back(std::move(*e));
  }
}

void wire::leave(site& from, const transmit& t) {
  ++from.sent;
  from.opened.emplace(t.via.local, t.via.remote);
  if (t.hop_limit) {
    ++from.openers;
    return;  // dies between the NATs
  }
  if (passes && !passes(from, t)) return;
  if (loss_percent != 0 && random_below(random, 100) < loss_percent) return;
  const auto seen = from.outside.find(t.via.local);
  auto when = now + delay;
  if (jitter != duration{}) {
    when += duration{static_cast<duration::rep>(
        random_below(random, static_cast<std::uint64_t>(jitter.count())))};
  }
  flights_.emplace(when,
                   flight{&other(from), seen == from.outside.end() ? t.via.local : seen->second,
                          t.via.remote, t.data});
}

void wire::arrive(const flight& f) {
  if (!f.to->agent) return;
  for (const auto& c : f.to->locals) {
    if (c.address != f.destination) continue;
    const auto seen = f.to->outside.find(c.base);
    // An inner address behind a NAT is not reached from outside.
    if (seen != f.to->outside.end() && seen->second != f.destination) continue;
    if (arriving && !arriving(*f.to, c.base, f.source)) return;
    if (f.to->filters && !f.to->opened.contains({c.base, f.source})) return;
    f.to->agent->handle_datagram({c.proto, c.base, f.source}, f.data, now);
    return;
  }
}

void wire::inject(site& to, const path& from, bytes datagram) {
  to.agent->handle_datagram(from, datagram, now);
  settle();
}

std::optional<time_point> wire::next() const {
  std::optional<time_point> first;
  if (!flights_.empty()) first = flights_.begin()->first;
  for (const auto* s : {&a, &b}) {
    if (s->agent) first = earlier(first, s->agent->next_timeout());
  }
  return first;
}

bool wire::run_until(const std::function<bool()>& done, duration limit) {
  const auto end = now + limit;
  settle();
  int stuck = 0;
  while (!done()) {
    const auto when = next();
    if (!when || *when > end) {
      now = end;
      return done();
    }
    stuck = *when > now ? 0 : stuck + 1;
    REQUIRE(stuck < 1000);  // an agent whose deadline never passes
    now = std::max(now, *when);
    while (!flights_.empty() && flights_.begin()->first <= now) {
      const auto f = flights_.begin()->second;
      flights_.erase(flights_.begin());
      arrive(f);
      settle();
    }
    for (auto* s : {&a, &b}) {
      if (s->agent && s->agent->next_timeout().value_or(now + 1h) <= now) {
        s->agent->handle_timeout(now);
      }
    }
    settle();
  }
  return true;
}

void wire::run_for(duration d) {
  run_until([] { return false; }, d);
}

}  // namespace nat::ice::test
