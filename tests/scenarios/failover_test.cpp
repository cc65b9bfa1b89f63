// A path that stops working is replaced within 2 s where another works.

#include <set>

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

struct both_ways {
  std::set<address> left, right;
  bool operator()(const sim::packet& p) const {
    return (left.contains(p.source.ip) && right.contains(p.destination.ip)) ||
           (right.contains(p.source.ip) && left.contains(p.destination.ip));
  }
};

void cut_direct(meeting& m) {
  m.world.internet().drops = both_ways{{m.left_gate->external()[0]}, {m.right_gate->external()[0]}};
}

void expect_short_gap(meeting& m, duration longest) {
  INFO(m.story());
  CHECK(m.hear_each_other());
  CHECK(m.left->longest_gap() < longest);
  CHECK(m.right->longest_gap() < longest);
}

}  // namespace

TEST_CASE("the direct path dies: the relay takes over, and the direct path comes back") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    meeting m({.seed = seed, .turn = true});
    REQUIRE(m.connect().path == path_kind::direct);
    m.world.run_for(3s);
    m.left->reset_gap();
    m.right->reset_gap();
    cut_direct(m);
    CHECK(m.settle(path_kind::relay, 3s));
    m.world.run_for(10s);
    expect_short_gap(m, 2s);
    m.world.internet().drops = nullptr;
    CHECK(m.settle(path_kind::direct, 30s));
    expect_short_gap(m, 2s);
  }
}

TEST_CASE("one direction of the direct path dies") {
  for (const bool leftward : {true, false}) {
    meeting m({.turn = true});
    REQUIRE(m.connect().path == path_kind::direct);
    m.world.run_for(3s);
    m.left->reset_gap();
    m.right->reset_gap();
    const auto from = (leftward ? m.right_gate : m.left_gate)->external()[0];
    const auto to = (leftward ? m.left_gate : m.right_gate)->external()[0];
    m.world.internet().drops = [=](const sim::packet& p) {
      return p.source.ip == from && p.destination.ip == to;
    };
    CHECK(m.settle(path_kind::relay, 3s));
    m.world.run_for(10s);
    expect_short_gap(m, 2s);
  }
}

TEST_CASE("the relay dies under a relayed path between peers that could do without") {
  // The direct path is cut while they meet, so the relay carries data; then it is healed, and the
  // relay's machine dies.
  meeting m({.turn = true});
  cut_direct(m);
  REQUIRE(m.connect().path == path_kind::relay);
  m.world.run_for(1s);
  m.world.internet().drops = nullptr;
  m.server->kill();
  CHECK(m.settle(path_kind::direct, 30s));
}

TEST_CASE("a second interface takes over when the first goes down") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    meeting m({.seed = seed, .turn = false});
    auto& second = m.world.add_site(m.world.internet(), {.link = {.delay = 30ms}});
    m.world.add_interface(*m.left_host, second.inside());
    REQUIRE(m.connect().path == path_kind::direct);
    m.world.run_for(3s);
    m.left->reset_gap();
    m.right->reset_gap();
    const auto first = m.left_host->addresses().at(0);
    REQUIRE(m.left->agent().selected()->local.ip == first);
    SUBCASE("the system says so") {
      m.left_host->set_up(first, false);
      m.left->remove_interface(first);
    }
    SUBCASE("nobody says so") {
      m.left_gate->set_up(false);
    }
    m.world.run_for(5s);
    INFO(m.story());
    REQUIRE(m.left->agent().selected());
    CHECK(m.left->agent().selected()->local.ip == m.left_host->addresses().at(1));
    expect_short_gap(m, 2s);
  }
}

TEST_CASE("an interface that appears later is used when the first goes") {
  meeting m({.turn = false});
  REQUIRE(m.connect().path == path_kind::direct);
  auto& second = m.world.add_site(m.world.internet(), {.link = {.delay = 30ms}});
  m.world.add_interface(*m.left_host, second.inside());
  m.left->add_interface(m.left_host->addresses().at(1));
  m.world.run_for(5s);
  m.left->reset_gap();
  m.right->reset_gap();
  m.left_gate->set_up(false);
  m.world.run_for(5s);
  expect_short_gap(m, 2s);
}

TEST_CASE("a path that loses a third of its packets is kept") {
  const sim::link_rules lossy{.delay = 10ms, .loss = 0.18};
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    meeting m({.seed = seed, .left = {.link = lossy}, .right = {.link = lossy}, .turn = true});
    REQUIRE(m.connect().path != path_kind::none);
    REQUIRE(m.settle(path_kind::direct, 20s));
    const auto changes = m.left->paths().size();
    m.world.run_for(5min);
    INFO(m.story());
    CHECK(m.hear_each_other());
    CHECK(m.left->disconnections() + m.right->disconnections() == 0);
    CHECK(m.left->paths().size() - changes <= 6);
  }
}
