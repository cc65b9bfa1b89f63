// UDP that gets nowhere, servers that are not there.

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

constexpr sim::nat_rules blocked{.udp_blocked = true};

}  // namespace

TEST_CASE("UDP blocked on one side: relayed over TCP") {
  meeting m({.left = {.nat = blocked}, .turn = true, .turn_transport = transport::tcp});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::relay);
  CHECK(met.took <= 1s);
  m.world.run_for(1h);
  CHECK(m.hear_each_other());
  CHECK(m.left->disconnections() == 0);
}

TEST_CASE("UDP blocked on both sides: relayed over TCP") {
  meeting m({.left = {.nat = blocked},
             .right = {.nat = blocked},
             .turn = true,
             .turn_transport = transport::tcp});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::relay);
  CHECK(met.took <= 1s);
}

TEST_CASE("UDP blocked and no relay over TCP: failed in order") {
  meeting m({.left = {.nat = blocked}, .turn = true});
  CHECK(m.connect(60s).path == path_kind::none);
  CHECK(m.left->has_failed());
  CHECK_FALSE(m.left->silent_servers().empty());
}

TEST_CASE("a dead server delays nothing between peers that need none") {
  meeting m({.left = {.open = true}, .right = {.open = true}, .turn = true});
  m.server->kill();
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 110ms);
  m.world.run_for(1min);
  CHECK_FALSE(m.left->silent_servers().empty());
}
