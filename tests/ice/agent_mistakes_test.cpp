// What costs the users of other stacks seconds, or the connection: a test for each.

#include <set>

#include "ice/check_message.hpp"
#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

struct options {
  bool stun = true, turn = false;
  std::function<void(agent_config&)> change = {};
};

void make_site(wire& l, site& s, int n, const options& o) {
  const auto digit = std::to_string(n);
  l.make(s, n == 1 ? role::controlling : role::controlled, o.change);
  s.filters = true;
  l.know(s, host("10.0.0." + digit + ":100" + digit));
  if (o.stun) {
    l.know(s,
           reflexive("198.51.100." + digit + ":200" + digit, "10.0.0." + digit + ":100" + digit));
  }
  if (o.turn) l.know(s, relayed("192.0.2." + digit + ":300" + digit));
}

void two_sites(wire& l, const options& o) {
  make_site(l, l.a, 1, o);
  make_site(l, l.b, 2, o);
}

bool crosses_relay(const transmit& t) {
  return to_string(t.via.local.ip).starts_with("192.0.2.") ||
         to_string(t.via.remote.ip).starts_with("192.0.2.");
}

std::size_t count_first_checks(const agent& a) {
  std::size_t n = 0;
  for (const auto& p : a.pairs()) n += p.checks_sent != 0 ? 1 : 0;
  return n;
}

}  // namespace

TEST_CASE("no wait before nominating: two round trips and the gap, then both ends agree") {
  wire l;
  two_sites(l, {});
  l.introduce();
  REQUIRE(l.run_until(
      [&] {
        return l.both_connected() && l.a.paths.back().second.nominated &&
               l.b.paths.back().second.nominated;
      },
      1s));
  CHECK(l.elapsed() <= 2 * 40ms + 30ms);
}

TEST_CASE("relay candidates make nothing slower") {
  wire without;
  two_sites(without, {});
  without.introduce();
  REQUIRE(without.run_until([&] { return without.both_connected(); }, 1s));
  wire with;
  two_sites(with, {.turn = true});
  with.introduce();
  REQUIRE(with.run_until([&] { return with.both_connected(); }, 1s));
  CHECK(with.elapsed() <= without.elapsed());
}

TEST_CASE("a relay carries data until a direct path works, then both ends move up") {
  wire l;
  two_sites(l, {.turn = true});
  l.passes = [&](const site&, const transmit& t) {
    return crosses_relay(t) || l.elapsed() > 300ms;  // direct packets are lost at first
  };
  l.introduce();
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.elapsed() < 100ms);
  CHECK(l.a.paths.front().second.remote.kind == candidate_kind::relayed);
  l.run_for(2s);
  for (const auto* s : {&l.a, &l.b}) {
    const auto& last = s->paths.back().second;
    CHECK(last.nominated);
    CHECK(last.local.kind == candidate_kind::server_reflexive);
    CHECK(last.remote.kind == candidate_kind::server_reflexive);
    CHECK(s->count_disconnected() == 0);
  }
}

TEST_CASE("the agent is event-driven: a triggered check leaves with the answer") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.know(l.a, host("192.0.2.1:1"));
  l.know(l.b, host("192.0.2.2:1"));
  l.tell_keys(l.a);
  l.tell_keys(l.b);
  l.tell(l.a, l.b.locals[0]);  // only one side knows where the other is
  l.run_until([&] { return l.b.sent != 0; }, 1s);
  CHECK(l.elapsed() == 20ms);
  CHECK(l.b.sent == 2);  // the answer and the check
}

TEST_CASE("triggered checks go before the ordinary ones that wait") {
  wire l;
  l.make(l.a, role::controlling, [](agent_config& c) { c.pacing = 50ms; });
  l.make(l.b, role::controlled);
  for (int n = 1; n <= 8; ++n) l.know(l.a, host("10.0." + std::to_string(n) + ".1:1"));
  l.know(l.b, host("172.16.0.1:1"));
  for (int n = 2; n <= 9; ++n) l.b.locals.push_back(host("10.9." + std::to_string(n) + ".1:1"));
  // The only pair that works is the last of 72 in the order of priority: 3.6 s of pacing away.
  const auto good = host("172.16.0.1:1", 0);
  l.b.locals[0].priority = good.priority;
  l.passes = [&](const site& from, const transmit& t) {
    return &from == &l.b ? t.via.remote == at("10.0.8.1:1") : t.via.local == at("10.0.8.1:1");
  };
  l.introduce();
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 10s));
  // The peer has eight pairs, at 5 ms each; what it sends is answered and used as it comes.
  CHECK(l.elapsed() <= 8 * 5ms + 60ms);
}

TEST_CASE("a check that comes in cancels the wait of one under way, RFC 8445, 7.3.1.4") {
  wire l;
  two_sites(l, {.change = [](agent_config& c) {
              c.opener_hop_limit = 0;
              c.initial_rto = 5s;  // without the trigger nothing would be repeated
            }});
  l.tell_all(l.a);  // A's first check finds B's NAT closed, and is lost
  l.run_for(50ms);
  CHECK_FALSE(l.both_connected());
  l.tell_all(l.b);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.elapsed() <= 50ms + 60ms + 10ms);
}

TEST_CASE("repetitions of the peer's check don't make us repeat one that is on its way") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.know(l.a, host("192.0.2.1:1"));
  l.know(l.b, host("192.0.2.2:1"));
  bytes check;
  l.passes = [&](const site& from, const transmit& t) {
    if (&from == &l.a) check = t.data;
    return false;
  };
  l.introduce();
  const auto own = l.b.agent->pairs().at(0).checks_sent;
  const path from{transport::udp, at("192.0.2.2:1"), at("192.0.2.1:1")};
  for (int n = 0; n < 20; ++n) l.inject(l.b, from, check);
  CHECK(l.b.agent->pairs().at(0).checks_received == 20);
  CHECK(l.b.agent->pairs().at(0).checks_sent == own + 1);  // the path is open: once, at once
}

TEST_CASE("three dead bridges at each end: no slower, no failure") {
  const auto run = [](int bridges, bool turn, std::size_t max_pairs) {
    wire l;
    const options o{.turn = turn, .change = [&](agent_config& c) { c.max_pairs = max_pairs; }};
    for (auto* s : {&l.a, &l.b}) {
      const int n = s == &l.a ? 1 : 2;
      make_site(l, *s, n, o);
      for (int b = 0; b < bridges; ++b) {
        l.know(*s,
               host("172." + std::to_string(17 + b) + ".0.1:" + std::to_string(4000 + n * 10 + b),
                    static_cast<std::uint16_t>(65'000 - b)));
      }
    }
    l.passes = [](const site&, const transmit& t) {
      return !to_string(t.via.local.ip).starts_with("172.") &&
             !to_string(t.via.remote.ip).starts_with("172.");
    };
    l.introduce();
    REQUIRE(l.run_until([&] { return l.both_connected(); }, 5s));
    return l.elapsed();
  };
  for (const bool turn : {false, true}) {
    CAPTURE(turn);
    const auto none = run(0, turn, 100);
    CHECK(run(3, turn, 100) <= none + 10ms);
    CHECK(run(12, turn, 100) <= none + 10ms);  // 13 × 14 pairs and more
    CHECK(run(12, turn, 30) <= none + 10ms);
  }
}

TEST_CASE("a full list of pairs never cuts the only good one, whenever it is told") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  for (int n = 0; n < 12; ++n) {
    l.know(l.a, host("172.17." + std::to_string(n) + ".1:1"));
    l.know(l.b, host("172.18." + std::to_string(n) + ".1:1"));
  }
  l.passes = [](const site&, const transmit& t) { return crosses_relay(t); };
  l.tell_all(l.a);
  l.tell_all(l.b);
  l.run_for(500ms);
  CHECK(l.a.agent->pairs().size() == 100);
  l.know(l.a, relayed("192.0.2.1:1"));
  l.know(l.b, relayed("192.0.2.2:1"));
  const auto told = l.now;
  l.tell(l.a, l.b.locals.back());
  l.tell(l.b, l.a.locals.back());
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.now - told <= 70ms);
  CHECK(l.a.agent->pairs().size() <= 100);
}

TEST_CASE("a relay is never sent to a private peer") {
  wire l;
  two_sites(l, {.turn = true});
  std::size_t to_private = 0;
  l.passes = [&](const site&, const transmit& t) {
    if (to_string(t.via.local.ip).starts_with("192.0.2.") && is_private(t.via.remote.ip)) {
      ++to_private;
    }
    return true;
  };
  l.introduce();
  l.run_for(20s);
  CHECK(to_private == 0);
}

TEST_CASE("a request that reveals a role conflict is answered and used") {
  for (const auto both : {role::controlling, role::controlled}) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(seed);
      wire l(seed);
      l.make(l.a, both);
      l.make(l.b, both);
      l.know(l.a, host("192.0.2.1:1"));
      l.know(l.b, host("192.0.2.2:1"));
      l.introduce();
      REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
      // No slower than a round trip more.
      CHECK(l.elapsed() <= 80ms);
      l.run_for(200ms);
      CHECK(l.a.agent->role() != l.b.agent->role());
      CHECK(l.a.paths.back().second.nominated);
      CHECK(l.b.paths.back().second.nominated);
    }
  }
}

TEST_CASE("a check from only one side, in the wrong role, still connects both") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlling);
  l.know(l.a, host("192.0.2.1:1"));
  l.know(l.b, host("192.0.2.2:1"));
  l.tell_keys(l.a);
  l.tell_keys(l.b);
  l.tell(l.a, l.b.locals[0]);  // B learns of A only by its checks
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.elapsed() <= 100ms);
  CHECK(l.a.agent->role() != l.b.agent->role());
}

TEST_CASE("a peer behind more than 500 ms of delay connects") {
  for (const auto one_way : {300ms, 1000ms, 5000ms}) {
    CAPTURE(one_way.count());
    wire l(1, one_way);
    two_sites(l, {});
    l.introduce();
    REQUIRE(l.run_until([&] { return l.both_connected(); }, 30s));
    // The first check that arrives is answered; an answer to any of the repetitions counts.
    CHECK(l.elapsed() <= 2 * one_way + 30ms);
    l.run_for(20s);
    CHECK(l.a.count_disconnected() + l.b.count_disconnected() == 0);
    CHECK(l.a.paths.back().second.nominated);
    CHECK(l.b.paths.back().second.nominated);
  }
}

TEST_CASE("a link delay of an hour") {
  wire l(1, 1h);
  two_sites(l, {.change = [](agent_config& c) {
              c.patience = std::chrono::hours{3};
              c.consent_expiry = std::chrono::hours{9};
            }});
  l.introduce();
  CHECK(l.run_until([&] { return l.both_connected(); }, std::chrono::hours{3}));
  CHECK(l.elapsed() <= 2h + 1s);
  CHECK(l.a.agent->rtt().value_or(0s) <= 2h + 1s);
  CHECK(l.a.sent < 2000);  // no storm while waiting: half of it answers
}

TEST_CASE("an hour of delay against ordinary patience: failed once, and the late answer counts") {
  wire l(1, 1h);
  two_sites(l, {});
  l.introduce();
  l.run_for(1min);
  CHECK(l.a.count_failed() == 1);
  CHECK(l.b.count_failed() == 1);
  CHECK(l.run_until([&] { return l.both_connected(); }, 3h));
}

TEST_CASE("an ICMP error on a pair that is not valid yet fails nothing") {
  wire l;
  two_sites(l, {});
  l.introduce();
  // The opener dies between the NATs, and the peer's NAT refuses what comes too early.
  for (auto* s : {&l.a, &l.b}) {
    for (const auto& p : s->agent->pairs()) {
      s->agent->handle_send_failure({transport::udp, p.local.base, p.remote.address}, l.now);
    }
  }
  CHECK(l.run_until([&] { return l.both_connected(); }, 200ms));
}

TEST_CASE("no pair in ten thousand is checked twice in a pace: Ta holds across additions") {
  wire l;
  l.make(l.a, role::controlling, [](agent_config& c) { c.pacing = 20ms; });
  l.make(l.b, role::controlled);
  l.know(l.a, host("10.0.0.1:1"));
  l.tell_keys(l.a);
  l.passes = [](const site&, const transmit&) { return false; };
  for (int n = 2; n < 12; ++n) {
    l.a.agent->add_remote(host("10.0.0." + std::to_string(n) + ":1"), l.now);
    l.settle();
  }
  CHECK(count_first_checks(*l.a.agent) == 1);
  l.run_for(19ms);
  CHECK(count_first_checks(*l.a.agent) == 1);
  l.run_for(1ms);
  CHECK(count_first_checks(*l.a.agent) == 2);
  l.run_for(100ms);
  CHECK(count_first_checks(*l.a.agent) == 7);
}
