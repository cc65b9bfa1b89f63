// Routers that answer for themselves: the first packet must not arrive (nat_rules::open_input).

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

// How many of thirty meetings come about, with a little chance in every delay.
int meet_thirty(bool openers, bool left_open, bool right_open, duration head_start,
                duration signaling_jitter, duration* worst = nullptr) {
  const sim::nat_rules open{.open_input = true}, closed{};
  const sim::link_rules link{.delay = 10ms, .jitter = 2ms};
  int met = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    meeting m({.seed = seed,
               .left = {.nat = left_open ? open : closed, .link = link},
               .right = {.nat = right_open ? open : closed, .link = link},
               .turn = false,
               .head_start = head_start,
               .signaling_jitter = signaling_jitter,
               .openers = openers});
    const auto result = m.connect();
    if (result.path == path_kind::direct) ++met;
    if (worst != nullptr) *worst = std::max(*worst, result.took);
  }
  return met;
}

}  // namespace

// Signaling that jitters makes the two sides start at different moments.
TEST_CASE("open input: 30 of 30 with openers") {
  for (const bool left : {true, false}) {
    for (const bool right : {true, false}) {
      for (const auto head_start : {0ms, 1000ms}) {
        for (const auto jitter : {0ms, 10ms, 20ms, 30ms}) {
          duration worst{};
          const auto met = meet_thirty(true, left, right, head_start, jitter, &worst);
          INFO("left ", left, " right ", right, " head start ", head_start.count(),
               " ms, signaling jitter ", jitter.count(), " ms, worst ", milliseconds(worst), " ms");
          CHECK(met == 30);
          CHECK(worst <= 250ms);
        }
      }
    }
  }
}

TEST_CASE("without openers open input is a wall: the simulated router does what kernels do") {
  CHECK(meet_thirty(false, true, true, 0ms, 60ms) < 30);
}

TEST_CASE("with a relay at hand nobody waits for the wall") {
  const sim::nat_rules open{.open_input = true};
  meeting m({.left = {.nat = open}, .right = {.nat = open}, .turn = true, .openers = false});
  const auto met = m.connect();
  CHECK(met.path != path_kind::none);
  CHECK(met.took <= 145ms);
}
