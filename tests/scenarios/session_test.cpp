// The whole of it: two peers of peer-cli through the hub, from registration to data that arrives
// whole, behind NATs, through loss and failures.

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/scenarios/encounter.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

TEST_CASE("direct through two NATs: a path within 128 ms of the offer, data whole both ways") {
  encounter e({.left = port_restricted, .right = port_restricted});
  REQUIRE(e.run());
  e.check_whole();
  CHECK_FALSE(e.relayed());
  INFO("path after ", milliseconds(e.path_took()), " ms, ready after ",
       milliseconds(*e.left->seen().ready - *e.left->seen().offered), " ms");
  CHECK(e.path_took() <= 128ms);  // 1.15 times the floor of 111 ms
  CHECK(*e.left->seen().ready - *e.left->seen().offered <= 330ms);
}

TEST_CASE("symmetric on both sides: the relay within 240 ms of the offer") {
  encounter e({.left = symmetric, .right = symmetric});
  REQUIRE(e.run());
  e.check_whole();
  CHECK(e.relayed());
  INFO("path after ", milliseconds(e.path_took()), " ms");
  CHECK(e.path_took() <= 240ms);
}

TEST_CASE("the policy is kept: relay only where direct would do, direct only where it can't") {
  encounter relay({.policy = session::path_policy::relay});
  REQUIRE(relay.run());
  relay.check_whole();
  CHECK(relay.relayed());
  encounter direct({.left = symmetric, .right = symmetric, .policy = session::path_policy::direct});
  REQUIRE(direct.run(120s));
  REQUIRE(direct.left->seen().failure);
  CHECK(direct.left->seen().failure->status == session::exit_status::no_path);
  CHECK(direct.server.counters().created == 0);
}

TEST_CASE("through loss of 10 and 30 % the data arrives whole") {
  for (const double share : {0.1, 0.3}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      encounter e({.seed = seed,
                   .link = {.delay = 10ms, .loss = 1 - std::sqrt(1 - share)},
                   .size = 20'000});
      REQUIRE(e.run(10min));
      e.check_whole();
    }
  }
}

TEST_CASE("open input on both sides, no relay allowed: 30 of 30") {
  const sim::nat_rules open{.open_input = true};
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    encounter e({.seed = seed,
                 .left = open,
                 .right = open,
                 .link = {.delay = 10ms, .jitter = 4ms},
                 .policy = session::path_policy::direct,
                 .size = 1000});
    REQUIRE(e.run());
    e.check_whole();
  }
}

TEST_CASE("the path dies in the middle of a transfer: nothing of it is lost") {
  encounter e({.size = 3'000'000});
  REQUIRE(e.world.run_until([&] { return e.right->seen().received > 500'000; }, 60s));
  const std::set<address> gates{e.left_gate.external()[0], e.right_gate.external()[0]};
  e.world.internet().drops = [gates](const sim::packet& p) {
    return gates.contains(p.source.ip) && gates.contains(p.destination.ip);
  };
  REQUIRE(e.run(5min));
  e.check_whole();
  CHECK(e.relayed());
}

TEST_CASE("pings move from the relay to a direct path, and each says which it took") {
  encounter e({.size = 0});
  const std::set<address> gates{e.left_gate.external()[0], e.right_gate.external()[0]};
  e.world.internet().drops = [gates](const sim::packet& p) {
    return gates.contains(p.source.ip) && gates.contains(p.destination.ip);
  };
  e.left->pings = session::ping_config{.interval = 200ms};
  const auto& seen = e.left->seen();
  REQUIRE(e.world.run_until([&] { return seen.round_trips.size() >= 5; }, 60s));
  const auto relayed = [](const session::round_trip& one) {
    REQUIRE(one.way);
    return session::is_relayed(*one.way);
  };
  for (const auto& one : seen.round_trips) {
    CHECK(relayed(one));
    CHECK(one.took);
  }
  e.world.internet().drops = nullptr;
  const auto direct = [&] {
    return seen.round_trips.back().took && !relayed(seen.round_trips.back());
  };
  REQUIRE(e.world.run_until(direct, 60s));
  CHECK(*seen.round_trips.back().took < *seen.round_trips.front().took);
  CHECK_FALSE(session::is_relayed(seen.paths.back().second));
}

TEST_CASE("pings show the loss of the network: nothing is sent twice") {
  // Two links each way: 0.19 of what goes one way is lost, and 0.344 of the round trips.
  encounter e({.seed = 5, .link = {.delay = 10ms, .loss = 0.1}, .size = 0});
  e.left->pings = session::ping_config{.count = 500, .interval = 50ms};
  const auto& seen = e.left->seen();
  REQUIRE(e.world.run_until([&] { return seen.round_trips.size() == 500; }, 5min));
  const auto lost = std::ranges::count_if(seen.round_trips, [](auto& one) { return !one.took; });
  CHECK(lost > 500 * 0.24);
  CHECK(lost < 500 * 0.44);
}

TEST_CASE("the same secret on both sides, and another on one") {
  encounter same({.left_secret = "otter", .right_secret = "otter", .size = 1000});
  REQUIRE(same.run());
  same.check_whole();
  encounter other({.left_secret = "otter", .right_secret = "heron", .size = 1000});
  REQUIRE(other.run());
  REQUIRE(other.left->seen().failure);
  CHECK(other.left->seen().failure->status == session::exit_status::wrong_peer);
  CHECK(other.right->seen().received == 0);
}

TEST_CASE("whoever calls someone who is not there is told at once") {
  setting s;
  encounter e(s);
  e.world.detach(*e.right);
  session::peer_config caller;
  caller.id = "third";
  caller.target = "nobody";
  session_peer third(e.world, e.world.add_host(e.left_gate.inside()), e.hub, std::move(caller));
  CHECK(e.world.run_until([&] { return third.seen().failure.has_value(); }, 5s));
  CHECK(third.seen().failure->status == session::exit_status::peer_absent);
}
