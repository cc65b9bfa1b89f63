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

TEST_CASE("loss, jitter and reordering: 0, 10 and 30 %") {
  for (const unsigned loss : {0U, 10U, 30U}) {
    duration total{};
    constexpr int runs = 100;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
      CAPTURE(loss);
      CAPTURE(seed);
      wire l(seed);
      l.loss_percent = loss;
      l.jitter = 30ms;
      two_nats(l);
      l.introduce();
      REQUIRE(l.run_until([&] { return l.both_connected(); }, 10s));
      total += l.elapsed();
      l.run_for(10s);
      REQUIRE(l.a.agent->selected());
      REQUIRE(l.b.agent->selected());
      const auto via = *l.a.agent->selected();
      CHECK(via.remote == at("203.0.113.2:2000"));
      CHECK(l.b.agent->selected()->remote == at("198.51.100.1:1000"));
    }
    CHECK(total / runs < (loss == 0 ? 160ms : loss == 10 ? 350ms : 900ms));
  }
}

TEST_CASE("a path with 10 % loss is kept for an hour") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    wire l(seed);
    two_hosts(l);
    l.loss_percent = 10;
    l.introduce();
    l.run_for(1h);
    CHECK(l.a.count_failed() + l.b.count_failed() == 0);
    CHECK(l.a.agent->selected());
    CHECK(l.b.agent->selected());
  }
}

TEST_CASE("IPv4 and IPv6 at once, RFC 8421: whichever works is found, and both ends agree") {
  for (const bool v6_works : {true, false}) {
    wire l;
    l.make(l.a, role::controlling);
    l.make(l.b, role::controlled);
    for (auto* s : {&l.a, &l.b}) {
      const std::string n = s == &l.a ? "1" : "2";
      l.know(*s, host("[2001:db8::" + n + "]:1000", 65535));
      l.know(*s, host("203.0.113." + n + ":1000", 65534));
    }
    l.passes = [&](const site&, const transmit& t) { return t.via.remote.ip.v4 || v6_works; };
    l.introduce();
    REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
    CHECK(l.elapsed() <= 45ms);
    l.run_for(1s);
    CHECK(l.a.agent->selected()->remote.ip.v4 != v6_works);
    CHECK(l.b.agent->selected()->remote == l.a.agent->selected()->local);
  }
}

TEST_CASE("TCP candidates: one check a connection, no retransmission, UDP preferred") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  auto active = host("192.0.2.1:9");
  active.proto = transport::tcp;
  active.tcp = tcp_type::active;
  auto passive = host("192.0.2.2:2000");
  passive.proto = transport::tcp;
  passive.tcp = tcp_type::passive;
  l.a.locals = {active};
  l.a.agent->add_local(active, l.now);
  l.b.locals = {passive};
  l.b.agent->add_local(passive, l.now);
  std::size_t lost = 0;
  l.passes = [&](const site&, const transmit& t) {
    CHECK(t.via.proto == transport::tcp);
    CHECK_FALSE(t.hop_limit);
    ++lost;
    return false;
  };
  l.tell_all(l.a);
  l.tell_keys(l.b);
  l.run_for(20s);
  CHECK(lost == 1);

  // A connection whose first check arrives is answered, and checked back on the same connection.
  std::vector<path> sent;
  l.passes = [&](const site& from, const transmit& t) {
    if (&from == &l.b) sent.push_back(t.via);
    return true;
  };
  const path connection{transport::tcp, at("192.0.2.2:2000"), at("192.0.2.1:40000")};
  l.a.agent->restart(l.a.keys, l.now);  // a fresh check
  l.a.agent->set_remote(l.b.keys, l.now);
  l.a.agent->add_local(active, l.now);
  l.a.agent->add_remote(passive, l.now);
  const auto check = l.a.agent->poll_transmit();
  REQUIRE(check);
  CHECK(l.b.agent->handle_datagram(connection, check->data, l.now));
  l.settle();
  CHECK(sent == std::vector<path>{connection, connection});
}

TEST_CASE("only one of two agents is told anything: the other learns all from its checks") {
  wire l;
  two_nats(l);
  l.b.filters = false;
  l.tell_all(l.a);
  l.tell_keys(l.b);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.b.agent->selected()->remote == at("198.51.100.1:1000"));
}

TEST_CASE("end-of-candidates and nothing works: failed when patience is over, and not before") {
  for (const bool told : {true, false}) {
    wire l;
    two_hosts(l);
    l.passes = [](const site&, const transmit&) { return false; };
    if (told) {
      l.introduce();
    } else {
      l.run_for(5s);
      l.tell_all(l.a);  // and never an end of candidates
    }
    l.run_for(39s - l.elapsed());
    CHECK(l.a.count_failed() == 0);
    l.run_for(1s);
    CHECK(l.a.count_failed() == (told ? 1 : 0));
    l.run_for(5s);
    CHECK(l.a.count_failed() == 1);
    CHECK_FALSE(std::get<failed>(l.a.events.back()).was_connected);
    l.run_for(1h);
    CHECK(l.a.count_failed() == 1);
  }
}

TEST_CASE("patience is the caller's to set, but pairs under way end first") {
  wire l;
  l.make(l.a, role::controlling, [](agent_config& c) {
    c.patience = 5s;
    c.max_check_sends = 5;
  });
  l.make(l.b, role::controlled);
  l.know(l.a, host("192.0.2.1:1000"));
  l.know(l.b, host("192.0.2.2:2000"));
  l.passes = [](const site&, const transmit&) { return false; };
  l.introduce();
  l.run_for(4900ms);
  CHECK(l.a.count_failed() == 0);
  l.run_for(1s);
  CHECK(l.a.count_failed() == 1);
}

TEST_CASE("a check of the peer's after failure opens the search again") {
  wire l;
  two_hosts(l);
  bool cut = true;
  l.passes = [&](const site&, const transmit&) { return !cut; };
  l.introduce();
  l.run_for(1min);
  REQUIRE(l.a.count_failed() == 1);
  cut = false;
  l.b.agent->add_local(host("192.0.2.77:3000"), l.now);  // B gets a new interface
  l.b.locals.push_back(host("192.0.2.77:3000"));
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.a.agent->selected()->remote == at("192.0.2.77:3000"));
}
