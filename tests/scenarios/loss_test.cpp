// Packets that get lost, doubled, delayed and reordered on the way.

#include <algorithm>
#include <cmath>

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

constexpr sim::nat_rules port_restricted{};
constexpr sim::nat_rules symmetric{.mapping = sim::dependence::address_and_port,
                                   .ports = sim::port_choice::random};

struct spread {
  duration median, worst;
};

sim::link_rules lossy(double share) {
  return {.delay = 10ms, .loss = 1 - std::sqrt(1 - share)};
}

// Fifty meetings, each of which must come about.
spread meet_often(const sim::nat_rules& nat, const sim::link_rules& link, path_kind expected) {
  std::vector<duration> took;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    meeting m({.seed = seed,
               .left = {.nat = nat, .link = link},
               .right = {.nat = nat, .link = link},
               .turn = true});
    const auto met = m.connect();
    INFO(m.story());
    REQUIRE(met.path != path_kind::none);
    CHECK(m.settle(expected, 2min));
    took.push_back(met.took);
  }
  std::ranges::sort(took);
  return {took[took.size() / 2], took.back()};
}

}  // namespace

// `share` is what a packet between the peers suffers on its way over both their links.
TEST_CASE("peers meet through loss") {
  struct row {
    double share;
    duration median, worst;
  };
  for (const auto& [share, median, worst] :
       {row{0.0, 100ms, 100ms}, row{0.1, 130ms, 1500ms}, row{0.3, 400ms, 3s}, row{0.5, 1s, 6s}}) {
    const auto [m, w] = meet_often(port_restricted, lossy(share), path_kind::direct);
    INFO("direct, loss ", share, ": median ", milliseconds(m), " ms, worst ", milliseconds(w),
         " ms");
    CHECK(m <= median);
    CHECK(w <= worst);
  }
}

TEST_CASE("peers that need the relay meet through loss") {
  struct row {
    double share;
    duration median, worst;
  };
  for (const auto& [share, median, worst] : {row{0.0, 145ms, 145ms}, row{0.1, 200ms, 1500ms},
                                             row{0.3, 600ms, 4s}, row{0.5, 2500ms, 10s}}) {
    const auto [m, w] = meet_often(symmetric, lossy(share), path_kind::relay);
    INFO("relay, loss ", share, ": median ", milliseconds(m), " ms, worst ", milliseconds(w),
         " ms");
    CHECK(m <= median);
    CHECK(w <= worst);
  }
}

TEST_CASE("peers meet through jitter, duplicates and reordering") {
  const auto [median, worst] = meet_often(
      port_restricted,
      {.delay = 5ms, .jitter = 20ms, .duplicate = 0.3, .reorder = 0.3, .reorder_delay = 30ms},
      path_kind::direct);
  INFO("median ", milliseconds(median), " ms, worst ", milliseconds(worst), " ms");
  CHECK(median <= 200ms);
  CHECK(worst <= 500ms);
}
