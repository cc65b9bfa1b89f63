// Peers near each other: one LAN, one carrier, LANs with the same addresses.

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;
using sim::dependence;

namespace {

constexpr sim::nat_rules symmetric{.mapping = dependence::address_and_port,
                                   .ports = sim::port_choice::random};
constexpr sim::nat_rules hairpinning{.hairpin = true};

}  // namespace

TEST_CASE("two hosts of one LAN use it, whatever the router does") {
  for (const auto& nat : {sim::nat_rules{}, hairpinning, symmetric}) {
    for (const bool turn : {false, true}) {
      meeting m({.left = {.nat = nat}, .turn = turn, .one_lan = true});
      const auto met = m.connect();
      INFO(m.story());
      CHECK(met.path == path_kind::direct);
      CHECK(met.took <= 45ms);  // the offer and the answer
      m.world.run_for(5s);
      CHECK(m.left->paths().back().second.via.remote.ip == m.right_host->v4());
      CHECK(m.right->paths().back().second.via.remote.ip == m.left_host->v4());
    }
  }
}

TEST_CASE("a LAN without internet is enough") {
  meeting m({.left = {.nat = {.udp_blocked = true}}, .turn = true, .one_lan = true});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 45ms);
}

TEST_CASE("two LANs with the same addresses don't confuse anyone") {
  // Each peer's host candidate names a host of the other's own LAN: itself.
  constexpr std::uint32_t same = 0xc0a80100;
  meeting m({.left = {.inner_prefix = same}, .right = {.inner_prefix = same}, .turn = true});
  REQUIRE(m.left_host->v4() == m.right_host->v4());
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 100ms);
  CHECK(m.left->paths().back().second.via.remote.ip == m.right_gate->external()[0]);
}

TEST_CASE("two homes behind one carrier need its hairpin, or the relay") {
  for (const bool hairpin : {true, false}) {
    const sim::nat_rules carrier{.ports = sim::port_choice::random, .hairpin = hairpin};
    meeting m({.left = {.carrier = carrier},
               .right = {.carrier = carrier},
               .turn = true,
               .one_carrier = true});
    const auto met = m.connect();
    INFO("hairpin ", hairpin, '\n', m.story());
    REQUIRE(met.path != path_kind::none);
    CHECK(met.took <= 145ms);
    CHECK(m.settle(hairpin ? path_kind::direct : path_kind::relay, 2s));
  }
}

TEST_CASE("NAT behind NAT: the harder one decides") {
  struct row {
    sim::nat_rules left, right;
    path_kind expected;
  };
  const sim::nat_rules easy{.ports = sim::port_choice::random};
  for (const auto& [left, right, expected] :
       {row{easy, easy, path_kind::direct}, row{symmetric, easy, path_kind::relay},
        row{symmetric, symmetric, path_kind::relay}}) {
    meeting m({.left = {.carrier = left}, .right = {.carrier = right}, .turn = true});
    const auto met = m.connect();
    INFO(m.story());
    REQUIRE(met.path != path_kind::none);
    CHECK(m.settle(expected, 2s));
    // An opener dies inside a carrier's network and opens only the NAT at home: the peers then
    // wait for the check that follows.
    CHECK(met.took <= 200ms);
  }
}
