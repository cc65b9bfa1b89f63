// The first packet must not arrive: NATs with open input, where a check that is early breaks the
// mapping of the peer whom it was meant for.

#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

// What the kernel of such a router does: a packet to an address that its inside has not sent to
// yet is answered by the router itself, and from then on the inside's packets to that peer leave
// from another port, where the peer's checks no longer reach.
struct open_input {
  explicit open_input(wire& l) {
    for (auto* s : {&l.a, &l.b}) s->filters = true;
    l.arriving = [](site& to, const endpoint& door, const endpoint& source) {
      if (to.opened.contains({door, source})) return !to.poisoned.contains({door, source});
      to.poisoned.emplace(door, source);
      return false;
    };
  }
};

struct start {
  duration skew;  // B is told this much later than A
  duration one_way = 20ms;
  std::uint8_t hop_limit = 2;
};

bool connects(const start& s, duration* took = nullptr) {
  wire l(1, s.one_way);
  const auto change = [&](agent_config& c) { c.opener_hop_limit = s.hop_limit; };
  l.make(l.a, role::controlling, change);
  l.make(l.b, role::controlled, change);
  open_input nats(l);
  for (auto* x : {&l.a, &l.b}) {
    const std::string n = x == &l.a ? "1" : "2";
    l.know(*x, host("10.0.0." + n + ":1000"));
    l.know(*x, reflexive("198.51.100." + n + ":1000", "10.0.0." + n + ":1000"));
  }
  l.tell_all(l.a);
  l.run_for(s.skew);
  l.tell_all(l.b);
  const bool done = l.run_until([&] { return l.both_connected(); }, 5s);
  if (took != nullptr) *took = l.elapsed();
  return done;
}

}  // namespace

TEST_CASE("without openers a NAT with open input is lost to the first check that is early") {
  CHECK_FALSE(connects({.skew = 30ms, .hop_limit = 0}));
}

TEST_CASE("openers get through NATs with open input as long as the gap covers the skew") {
  for (const auto skew : {0ms, 5ms, 10ms, 20ms, 30ms, 35ms}) {
    CAPTURE(skew.count());
    duration took{};
    CHECK(connects({.skew = skew}, &took));
    CHECK(took <= skew + 25ms + 60ms);
  }
}

TEST_CASE("an opener costs a peer that is already open nothing") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.a.filters = l.b.filters = true;
  for (auto* x : {&l.a, &l.b}) {
    const std::string n = x == &l.a ? "1" : "2";
    l.know(*x, host("10.0.0." + n + ":1000"));
    l.know(*x, reflexive("198.51.100." + n + ":1000", "10.0.0." + n + ":1000"));
  }
  l.run_for(25ms);  // A's address has been known for as long as the gap is: no hold at all
  const auto told = l.now;
  l.tell_all(l.b);
  l.run_for(10ms);
  l.tell_all(l.a);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.a.openers + l.b.openers == 0);
  CHECK(l.now - told <= 10ms + 60ms);
}

TEST_CASE("the hold ends when the peer's own check arrives") {
  wire l;
  l.make(l.a, role::controlling, [](agent_config& c) { c.opener_gap = 10s; });
  l.make(l.b, role::controlled, [](agent_config& c) { c.opener_hop_limit = 0; });
  l.a.filters = true;
  l.know(l.a, host("10.0.0.1:1000"));
  l.know(l.a, reflexive("198.51.100.1:1000", "10.0.0.1:1000"));
  l.know(l.b, host("10.0.0.2:1000"));
  l.know(l.b, reflexive("198.51.100.2:1000", "10.0.0.2:1000"));
  l.tell_all(l.a);
  l.run_for(30ms);
  CHECK(l.a.openers == 1);
  l.tell_all(l.b);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.elapsed() <= 30ms + 5ms + 60ms);
}

TEST_CASE("our reflexive address becoming known shortens the hold to what it asks for") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.know(l.a, host("10.0.0.1:1000"));
  l.b.locals = {reflexive("198.51.100.2:1000", "10.0.0.2:1000")};
  l.tell_all(l.a);
  CHECK(l.a.openers == 1);
  l.run_for(10ms);
  CHECK(l.a.sent == 1);
  l.know(l.a, reflexive("198.51.100.1:1000", "10.0.0.1:1000"));
  l.run_for(24ms);
  CHECK(l.a.sent == 1);
  l.run_for(1ms);
  CHECK(l.a.sent == 2);
}
