// Hosts with several interfaces, dead ones among them, and both address families.

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

constexpr sim::nat_rules symmetric{.mapping = sim::dependence::address_and_port,
                                   .ports = sim::port_choice::random};

}  // namespace

TEST_CASE("three dead bridges on each host cost nothing") {
  for (const bool turn : {false, true}) {
    for (const auto& nat : {sim::nat_rules{}, symmetric}) {
      if (!turn && nat.mapping != sim::dependence::independent) continue;
      meeting plain({.left = {.nat = nat}, .right = {.nat = nat}, .turn = turn});
      meeting bridged({.left = {.nat = nat, .dead_bridges = 3},
                       .right = {.nat = nat, .dead_bridges = 3},
                       .turn = turn});
      const auto without = plain.connect(), with = bridged.connect();
      INFO("without ", milliseconds(without.took), " ms, with ", milliseconds(with.took), " ms\n",
           bridged.story());
      REQUIRE(with.path == without.path);
      CHECK(with.took <= without.took + 20ms);
    }
  }
}

TEST_CASE("twelve dead bridges on each host cost little") {
  meeting m({.left = {.dead_bridges = 12}, .right = {.dead_bridges = 12}, .turn = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path != path_kind::none);
  CHECK(met.took <= 145ms);
  CHECK(m.settle(path_kind::direct, 2s));
}

TEST_CASE("IPv6 alone, behind firewalls that filter by address and port") {
  meeting m(
      {.left = {.v4 = false, .v6 = true}, .right = {.v4 = false, .v6 = true}, .v6_server = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  // No server is needed to know one's own address: offer, answer, one round trip.
  CHECK(met.took <= 110ms);
}

TEST_CASE("both families: IPv6 goes where IPv4 would need the relay") {
  meeting m({.left = {.nat = symmetric, .v6 = true},
             .right = {.nat = symmetric, .v6 = true},
             .turn = true,
             .v6_server = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK_FALSE(m.left->paths().back().second.via.remote.ip.v4);
  CHECK(met.took <= 110ms);
}

TEST_CASE("both families against IPv4 alone") {
  meeting m({.left = {.v6 = true}, .right = {}, .turn = true, .v6_server = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(m.left->paths().back().second.via.remote.ip.v4);
  CHECK(met.took <= 100ms);
}

TEST_CASE("IPv6 that is announced but leads nowhere delays nothing") {
  meeting m({.left = {.v6 = true}, .right = {.v6 = true}, .turn = true, .v6_server = true});
  m.world.internet().drops = [](const sim::packet& p) { return !p.source.ip.v4; };
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 115ms);
}

TEST_CASE("IPv6 alone against IPv4 alone: a relay of both families") {
  meeting m({.left = {.v4 = false, .v6 = true}, .right = {}, .turn = true, .v6_server = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::relay);
  CHECK(met.took <= 240ms);
}
