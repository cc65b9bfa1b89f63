// After the path is found: consent, doubt, failover, interfaces that go, restart.

#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

bool relay(const endpoint& e) {
  return to_string(e.ip).starts_with("192.0.2.");
}
bool crosses_relay(const transmit& t) {
  return relay(t.via.local) || relay(t.via.remote);
}
bool on_relay(const site& s) {
  const auto via = s.agent->selected();
  return via && (relay(via->local) || relay(via->remote));
}

// Both have a direct path and a relay; settled on the direct one.
void settle_direct(wire& l) {
  for (auto* s : {&l.a, &l.b}) {
    const std::string n = s == &l.a ? "1" : "2";
    l.make(*s, s == &l.a ? role::controlling : role::controlled);
    l.know(*s, host("203.0.113." + n + ":1000"));
    l.know(*s, relayed("192.0.2." + n + ":3000"));
  }
  l.introduce();
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  l.run_for(1s);
  REQUIRE_FALSE(on_relay(l.a));
  REQUIRE_FALSE(on_relay(l.b));
}

// Data both ways every 20 ms, as an application would have it, while `until` does not hold.
bool talk(wire& l, const std::function<bool()>& until, duration limit, bool a_talks = true,
          bool b_talks = true) {
  const auto end = l.now + limit;
  while (!until() && l.now < end) {
    for (auto* s : {&l.a, &l.b}) {
      if (!(s == &l.a ? a_talks : b_talks)) continue;
      const auto via = s->agent->selected();
      if (!via) continue;
      s->agent->note_sent(*via, l.now);
      transmit t{*via, {}, 0, {}};
      if (!l.passes || l.passes(*s, t)) {
        l.other(*s).agent->note_received({via->proto, via->remote, via->local}, l.now);
      }
    }
    l.run_for(20ms);
  }
  return until();
}

}  // namespace

TEST_CASE("consent is asked for every 4 to 6 s, at random, for ever") {
  wire l;
  settle_direct(l);
  std::vector<time_point> asked;
  l.passes = [&](const site& from, const transmit& t) {
    // A check is longer than an answer.
    if (&from == &l.a && !crosses_relay(t) && t.data.size() > 80) asked.push_back(l.now);
    return true;
  };
  l.run_for(10min);
  CHECK(asked.size() >= 100);
  CHECK(asked.size() <= 150);
  duration least = 1h;
  duration most{};
  for (std::size_t n = 1; n < asked.size(); ++n) {
    least = std::min(least, asked[n] - asked[n - 1]);
    most = std::max(most, asked[n] - asked[n - 1]);
  }
  CHECK(least >= 4s);
  CHECK(most <= 6050ms);
  CHECK(most - least > 1s);
  CHECK(l.a.count_disconnected() + l.a.count_failed() == 0);
}

TEST_CASE("without an answer consent ends 30 s after the last one") {
  wire l;
  settle_direct(l);
  l.run_for(10s);
  l.passes = [](const site&, const transmit&) { return false; };
  const auto cut = l.now;
  REQUIRE(l.run_until([&] { return l.a.count_failed() == 1; }, 40s));
  CHECK(l.now - cut <= 30s);
  CHECK(l.now - cut >= 23s);
  CHECK(std::get<failed>(l.a.events.back()).was_connected);
  CHECK_FALSE(l.a.agent->selected());
  CHECK(l.a.count_disconnected() == 1);
  const auto sent = l.a.sent;
  l.run_for(1h);
  CHECK(l.a.sent - sent < 100);  // what was under way ends, and then there is silence
  CHECK(l.a.count_failed() == 1);
}

TEST_CASE("a path that dies under traffic is replaced within 2 s, at both ends") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    wire l(seed);
    settle_direct(l);
    talk(l, [] { return false; }, 3s);
    l.passes = [](const site&, const transmit& t) { return crosses_relay(t); };
    const auto cut = l.now;
    REQUIRE(talk(l, [&] { return on_relay(l.a) && on_relay(l.b); }, 2s));
    CHECK(l.now - cut < 2s);
    CHECK(l.a.count_disconnected() + l.b.count_disconnected() == 0);
    talk(l, [] { return false; }, 1s);
    const auto via = *l.a.agent->selected();
    CHECK(l.b.agent->selected() == path{via.proto, via.remote, via.local});
    CHECK(l.a.paths.back().second.nominated);
    CHECK(l.b.paths.back().second.nominated);
  }
}

TEST_CASE("a path that dies in one direction only is replaced at both ends") {
  wire l;
  settle_direct(l);
  talk(l, [] { return false; }, 1s);
  l.passes = [&](const site& from, const transmit& t) { return crosses_relay(t) || &from == &l.a; };
  const auto cut = l.now;
  REQUIRE(talk(l, [&] { return on_relay(l.a) && on_relay(l.b); }, 5s));
  CHECK(l.now - cut < 3s);
}

TEST_CASE("an idle path that dies is noticed by the next consent check") {
  wire l;
  settle_direct(l);
  l.run_for(60s);
  l.passes = [](const site&, const transmit& t) { return crosses_relay(t); };
  const auto cut = l.now;
  REQUIRE(l.run_until([&] { return on_relay(l.a) && on_relay(l.b); }, 20s));
  CHECK(l.now - cut <= 6s + 2s);
}

TEST_CASE("an ICMP error raises doubt at once: replaced within half a second") {
  wire l;
  settle_direct(l);
  l.passes = [](const site&, const transmit& t) { return crosses_relay(t); };
  const auto cut = l.now;
  l.a.agent->handle_send_failure(*l.a.agent->selected(), l.now);
  REQUIRE(l.run_until([&] { return on_relay(l.a); }, 2s));
  CHECK(l.now - cut <= 500ms);
  REQUIRE(l.run_until([&] { return on_relay(l.b); }, 2s));  // follows the nomination
  CHECK(l.now - cut <= 600ms);
}

TEST_CASE("a forged ICMP error costs one check and nothing else") {
  wire l;
  settle_direct(l);
  const auto events = l.a.events.size();
  const auto sent = l.a.sent;
  for (int n = 0; n < 100; ++n) l.a.agent->handle_send_failure(*l.a.agent->selected(), l.now);
  l.run_for(200ms);
  CHECK(l.a.events.size() == events);
  CHECK(l.a.sent - sent <= 4);
  CHECK_FALSE(on_relay(l.a));
}

TEST_CASE("talking without being answered costs a check now and then, not the path") {
  wire l;
  settle_direct(l);
  const auto sent = l.a.sent;
  const auto events = l.a.events.size();
  talk(l, [] { return false; }, 10s, true, false);
  CHECK(l.a.events.size() == events);
  CHECK(l.a.sent - sent < 60);
  CHECK_FALSE(on_relay(l.a));
}

TEST_CASE("an interface that goes: the backup carries data in the same instant") {
  wire l;
  settle_direct(l);
  const auto gone = l.a.agent->selected()->local;
  l.a.agent->remove_local(gone, l.now);
  CHECK(l.a.agent->selected());
  l.settle();
  CHECK(on_relay(l.a));
  REQUIRE(l.run_until([&] { return on_relay(l.b); }, 200ms));
  for (const auto& p : l.a.agent->pairs()) CHECK(p.local.base != gone);
  CHECK(l.a.count_disconnected() == 0);
}

TEST_CASE("the last interface goes: disconnected, and a new one heals it") {
  wire l;
  settle_direct(l);
  for (const auto& c : l.a.locals) l.a.agent->remove_local(c.base, l.now);
  l.settle();
  CHECK_FALSE(l.a.agent->selected());
  CHECK(l.a.count_disconnected() == 1);
  l.run_for(5s);
  l.know(l.a, host("203.0.113.77:1000"));
  const auto back = l.now;
  REQUIRE(l.run_until([&] { return l.a.agent->selected().has_value(); }, 1s));
  CHECK(l.now - back <= 100ms);
  l.run_for(1s);
  CHECK(l.b.agent->selected()->remote == at("203.0.113.77:1000"));  // peer-reflexive there
}

TEST_CASE("the last interface goes and nothing comes: failed after the time of consent") {
  wire l;
  settle_direct(l);
  for (const auto& c : l.a.locals) l.a.agent->remove_local(c.base, l.now);
  l.settle();
  l.run_for(29s);
  CHECK(l.a.count_failed() == 0);
  l.run_for(2s);
  CHECK(l.a.count_failed() == 1);
  CHECK(std::get<failed>(l.a.events.back()).was_connected);
}

TEST_CASE("everything is cut for ten seconds: disconnected, and the same path again") {
  wire l;
  settle_direct(l);
  l.passes = [](const site&, const transmit&) { return false; };
  talk(l, [] { return false; }, 10s);
  CHECK(l.a.count_disconnected() == 1);
  CHECK(l.a.agent->selected());  // consent still holds
  l.passes = {};
  const auto back = l.now;
  const auto paths = l.a.paths.size();
  REQUIRE(l.run_until([&] { return l.a.paths.size() > paths; }, 10s));
  CHECK(l.now - back <= 1500ms);
  l.run_for(10s);
  const auto via = *l.a.agent->selected();
  CHECK(l.b.agent->selected() == path{via.proto, via.remote, via.local});
  CHECK_FALSE(on_relay(l.a));  // back on the direct path, not left on what answered first
}

TEST_CASE("backups are kept warm and cheap") {
  wire l;
  settle_direct(l);
  std::size_t on_backup = 0;
  l.passes = [&](const site& from, const transmit& t) {
    if (&from == &l.a && crosses_relay(t) && t.data.size() > 80) ++on_backup;
    return true;
  };
  l.run_for(5min);
  CHECK(on_backup >= 5 * 60 / 18);
  CHECK(on_backup <= 5 * 60 / 12);
}

TEST_CASE("a direct path that comes back takes over from the relay") {
  wire l;
  settle_direct(l);
  l.passes = [](const site&, const transmit& t) { return crosses_relay(t); };
  talk(l, [] { return false; }, 20s);
  REQUIRE(on_relay(l.a));
  l.passes = {};
  REQUIRE(l.run_until([&] { return !on_relay(l.a) && !on_relay(l.b); }, 60s));
}

TEST_CASE("restart: the path stays in use until the new credentials have found one") {
  wire l;
  settle_direct(l);
  const auto old = l.a.agent->selected();
  const auto locals_a = l.a.locals;
  const auto locals_b = l.b.locals;
  l.a.keys = {random_text(l.random, 8), random_text(l.random, 24)};
  l.a.agent->restart(l.a.keys, l.now);
  l.settle();
  CHECK(l.a.agent->selected() == old);
  CHECK(l.a.agent->local_credentials() == l.a.keys);
  // The peer has not heard of it: consent goes on under the old credentials.
  l.run_for(60s);
  CHECK(l.a.agent->selected() == old);
  CHECK(l.a.count_failed() + l.b.count_failed() + l.a.count_disconnected() == 0);

  for (const auto& c : locals_a) l.know(l.a, c);
  l.b.keys = {random_text(l.random, 8), random_text(l.random, 24)};
  l.b.agent->restart(l.b.keys, l.now);
  for (const auto& c : locals_b) l.know(l.b, c);
  const auto before = l.a.paths.size();
  l.introduce();
  REQUIRE(l.run_until([&] { return l.a.paths.size() > before; }, 1s));
  l.run_for(1s);
  CHECK(l.a.paths.back().second.nominated);
  CHECK(l.b.paths.back().second.nominated);
  // A minute later nothing is left of the old generation, and the path still has consent.
  l.run_for(60s);
  for (const auto& p : l.a.agent->pairs()) CHECK(p.state != pair_state::waiting);
  CHECK(l.a.agent->selected());
  CHECK(l.a.count_failed() + l.b.count_failed() == 0);
}

TEST_CASE("restart in every order of the two ends' steps") {
  std::vector<int> order{0, 1, 2, 3};
  do {
    CAPTURE(order[0] * 1000 + order[1] * 100 + order[2] * 10 + order[3]);
    wire l;
    settle_direct(l);
    const auto locals_a = l.a.locals;
    const auto locals_b = l.b.locals;
    bool a_done = false;
    bool b_done = false;
    const auto again = [&](site& s, const std::vector<candidate>& locals, bool& done) {
      s.keys = {random_text(l.random, 8), random_text(l.random, 24)};
      s.agent->restart(s.keys, l.now);
      for (const auto& c : locals) l.know(s, c);
      done = true;
    };
    // An end can be told the other's credentials only once both have restarted.
    const std::vector<std::function<void()>> steps{[&] { again(l.a, locals_a, a_done); },
                                                   [&] { again(l.b, locals_b, b_done); },
                                                   [&] {
                                                     if (a_done && b_done) l.tell_all(l.a);
                                                   },
                                                   [&] {
                                                     if (a_done && b_done) l.tell_all(l.b);
                                                   }};
    for (const int step : order) {
      steps[static_cast<std::size_t>(step)]();
      l.run_for(30ms);
    }
    l.tell_all(l.a);
    l.tell_all(l.b);
    l.run_for(2s);
    CHECK(l.a.paths.back().second.nominated);
    CHECK(l.b.paths.back().second.nominated);
    l.run_for(2min);
    CHECK(l.a.count_failed() + l.b.count_failed() + l.a.count_disconnected() == 0);
    CHECK(l.a.agent->selected());
    CHECK(l.b.agent->selected());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("the credentials of before a restart are refused once the new path has held") {
  wire l;
  settle_direct(l);
  const auto locals_a = l.a.locals;
  const auto locals_b = l.b.locals;
  for (auto* s : {&l.a, &l.b}) {
    s->keys = {random_text(l.random, 8), random_text(l.random, 24)};
    s->agent->restart(s->keys, l.now);
    for (const auto& c : s == &l.a ? locals_a : locals_b) l.know(*s, c);
  }
  l.introduce();
  l.run_for(5s);
  const auto pairs = l.a.agent->pairs().size();
  l.run_for(60s);
  CHECK(l.a.agent->pairs().size() < pairs);
}
