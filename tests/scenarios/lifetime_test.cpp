// What time does: mappings that expire, routers that restart, an hour without a word.

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

meeting_options with_lifetime(duration lifetime, sim::port_choice ports, bool turn = false) {
  const sim::nat_rules nat{.ports = ports, .lifetime = lifetime};
  return {.left = {.nat = nat}, .right = {.nat = nat}, .turn = turn};
}

}  // namespace

TEST_CASE("an idle path lives for an hour behind NATs that forget after 30 s") {
  meeting m(with_lifetime(30s, sim::port_choice::random));
  REQUIRE(m.connect().path == path_kind::direct);
  m.left->send_data(false);
  m.right->send_data(false);
  m.world.run_for(1h);
  CHECK(m.left->disconnections() == 0);
  CHECK(m.right->disconnections() == 0);
  const auto before = m.right->received();
  m.left->send_data(true);
  m.world.run_for(1s);
  CHECK(m.right->received() > before);
}

TEST_CASE("an idle relayed path lives for an hour, longer than permissions and allocations") {
  const sim::nat_rules nat{.mapping = sim::dependence::address_and_port,
                           .ports = sim::port_choice::random,
                           .lifetime = 30s};
  meeting m({.left = {.nat = nat}, .right = {.nat = nat}, .turn = true});
  REQUIRE(m.connect().path == path_kind::relay);
  m.left->send_data(false);
  m.right->send_data(false);
  m.world.run_for(1h);
  CHECK(m.left->disconnections() == 0);
  CHECK(m.left->now_by() == path_kind::relay);
  m.left->send_data(true);
  const auto before = m.right->received();
  m.world.run_for(1s);
  CHECK(m.right->received() > before);
}

TEST_CASE("mappings are kept while the answer is awaited, longer than the NATs remember") {
  auto o = with_lifetime(20s, sim::port_choice::random);
  o.signaling = 18s;
  meeting m(o);
  const auto met = m.connect(5min);
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 37s);
}

// The other side's filter decides whether our new port gets a word in.
TEST_CASE("a router that restarts and gives other ports: found again within 2 s by our checks") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto o = with_lifetime(120s, sim::port_choice::random);
    o.seed = seed;
    o.right.nat.filtering = sim::dependence::address;
    meeting m(o);
    REQUIRE(m.connect().path == path_kind::direct);
    m.world.run_for(3s);
    m.left->reset_gap();
    m.right->reset_gap();
    m.left_gate->restart();
    m.world.run_for(5s);
    INFO(m.story());
    CHECK(m.hear_each_other());
    CHECK(m.left->longest_gap() < 2s);
    CHECK(m.right->longest_gap() < 2s);
  }
}

TEST_CASE("a router that restarts and gives other ports, filtered: the relay within 2 s") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto o = with_lifetime(120s, sim::port_choice::random, true);
    o.seed = seed;
    meeting m(o);
    REQUIRE(m.connect().path == path_kind::direct);
    m.world.run_for(3s);
    m.left->reset_gap();
    m.right->reset_gap();
    m.left_gate->restart();
    m.world.run_for(5s);
    INFO(m.story());
    CHECK(m.hear_each_other());
    CHECK(m.left->longest_gap() < 2s);
    CHECK(m.right->longest_gap() < 2s);
  }
}

TEST_CASE("consent: data to a peer that is gone stops within 30 s and a bit") {
  meeting m(with_lifetime(120s, sim::port_choice::preserve));
  REQUIRE(m.connect().path == path_kind::direct);
  m.right_host->set_up(m.right_host->v4(), false);
  const auto gone = m.world.now();
  REQUIRE(m.world.run_until([&] { return m.left->has_failed(); }, 2min));
  CHECK(m.world.now() - gone <= 45s);
  CHECK(m.left->now_by() == path_kind::none);
  CHECK_FALSE(m.left->agent().selected().has_value());
}

TEST_CASE("an ICE restart keeps data flowing") {
  meeting m(with_lifetime(120s, sim::port_choice::preserve));
  REQUIRE(m.connect().path == path_kind::direct);
  m.world.run_for(1s);
  m.left->reset_gap();
  m.right->reset_gap();
  m.left->restart();
  m.right->restart();
  m.world.run_for(5s);
  INFO(m.story());
  CHECK(m.hear_each_other());
  CHECK(m.left->disconnections() == 0);
  CHECK(m.left->longest_gap() <= 100ms);
  CHECK(m.right->longest_gap() <= 100ms);
}

TEST_CASE("600 ms each way") {
  const sim::link_rules slow{.delay = 300ms};
  meeting m({.left = {.link = slow}, .right = {.link = slow}, .turn = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  // Reflexive addresses after 610 ms, one round trip of 1200 ms, an opener's wait at most.
  CHECK(met.took <= 2200ms);
  m.world.run_for(1min);
  CHECK(m.left->disconnections() == 0);
}

TEST_CASE("an hour each way: it ends in order, and what comes late hurts nobody") {
  const sim::link_rules hour{.delay = 1h};
  meeting m({.left = {.link = hour}, .right = {.link = hour}, .turn = true});
  CHECK(m.connect(10min).path == path_kind::none);
  CHECK(m.left->has_failed());
  CHECK(m.right->has_failed());
  m.world.run_for(12h);
  CHECK(m.left->now_by() == path_kind::none);
}

TEST_CASE("no way through and no relay: failed within the patience of RFC 8863") {
  const sim::nat_rules nat{.mapping = sim::dependence::address_and_port,
                           .ports = sim::port_choice::random};
  meeting m({.left = {.nat = nat}, .right = {.nat = nat}});
  CHECK(m.connect(60s).path == path_kind::none);
  CHECK(m.left->has_failed());
  CHECK(m.right->has_failed());
}

TEST_CASE("allocations are given back") {
  meeting m(with_lifetime(120s, sim::port_choice::preserve, true));
  REQUIRE(m.connect().path == path_kind::direct);
  CHECK(m.server->counters().allocations == 2);
  m.left->release();
  m.right->release();
  m.world.run_for(1s);
  CHECK(m.server->counters().allocations == 0);
  CHECK(m.server->open_relays() == 0);
  CHECK(m.hear_each_other());
}
