// Two agents find each other: roles, trickle in every order, NATs, loss, delay.

#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

void two_hosts(wire& l) {
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.know(l.a, host("192.0.2.1:1000"));
  l.know(l.b, host("192.0.2.2:2000"));
}

void two_nats(wire& l) {
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.a.filters = l.b.filters = true;
  l.know(l.a, host("10.0.0.1:1000"));
  l.know(l.a, reflexive("198.51.100.1:1000", "10.0.0.1:1000"));
  l.know(l.b, host("10.0.0.2:2000"));
  l.know(l.b, reflexive("203.0.113.2:2000", "10.0.0.2:2000"));
}

}  // namespace

TEST_CASE("one round trip makes the path usable on both sides, a second one nominates it") {
  wire l;
  two_hosts(l);
  l.introduce();
  CHECK(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.elapsed() == 40ms);
  CHECK(l.a.agent->selected() == path{transport::udp, at("192.0.2.1:1000"), at("192.0.2.2:2000")});
  CHECK(l.b.agent->selected() == path{transport::udp, at("192.0.2.2:2000"), at("192.0.2.1:1000")});
  CHECK(l.a.agent->rtt() == 40ms);
  l.run_for(100ms);
  CHECK(l.a.paths.back().second.nominated);
  CHECK(l.b.paths.back().second.nominated);
}

TEST_CASE("two NATs with port-dependent filtering") {
  wire l;
  two_nats(l);
  l.introduce();
  CHECK(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.elapsed() <= 70ms);  // a round trip and the opener's gap
  CHECK(l.a.agent->selected()->remote == at("203.0.113.2:2000"));
  CHECK(l.a.paths.back().second.local.kind == candidate_kind::server_reflexive);
  CHECK(l.b.paths.back().second.local.address == at("203.0.113.2:2000"));
}

TEST_CASE("candidates, credentials and checks come in every order") {
  // Each step happens 30 ms after the one before; the order is a permutation of the six.
  std::vector<int> order{0, 1, 2, 3, 4, 5};
  do {
    wire l;
    l.make(l.a, role::controlling);
    l.make(l.b, role::controlled);
    const auto mine = host("192.0.2.1:1000");
    const auto theirs = host("192.0.2.2:2000");
    l.a.locals = {mine};
    l.b.locals = {theirs};
    const std::vector<std::function<void()>> steps{[&] { l.a.agent->add_local(mine, l.now); },
                                                   [&] { l.b.agent->add_local(theirs, l.now); },
                                                   [&] { l.tell_keys(l.a); },
                                                   [&] { l.tell_keys(l.b); },
                                                   [&] { l.tell(l.a, theirs); },
                                                   [&] { l.tell(l.b, mine); }};
    for (const int step : order) {
      steps[static_cast<std::size_t>(step)]();
      l.run_for(30ms);
    }
    CAPTURE(order[0] * 100000 + order[1] * 10000 + order[2] * 1000 + order[3] * 100 +
            order[4] * 10 + order[5]);
    CHECK(l.run_until([&] { return l.both_connected(); }, 500ms));
  } while (std::next_permutation(order.begin(), order.end()));
}
