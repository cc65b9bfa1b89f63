// Signals that overtake each other, come twice, late, or not at all (RFC 8838).

#include "tests/check.hpp"
#include "tests/scenarios/meeting.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

using copies = std::vector<std::pair<duration, signal>>;

meeting_options two_nats(std::uint64_t seed = 1) {
  return {.seed = seed, .turn = false};
}

}  // namespace

TEST_CASE("candidates come before the description that they belong to") {
  auto o = two_nats();
  o.mangle = [](const signal& s) {
    return copies{{std::holds_alternative<description>(s) ? 200ms : 0ms, s}};
  };
  meeting m(o);
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  // Two descriptions of 220 ms each, a round trip, and half of one for each way of the nomination.
  CHECK(met.took <= 510ms);
}

TEST_CASE("signals come in any order") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto o = two_nats(seed);
    o.signaling_jitter = 300ms;
    meeting m(o);
    const auto met = m.connect();
    INFO(m.story());
    CHECK(met.path == path_kind::direct);
    CHECK(met.took <= 1s);
  }
}

TEST_CASE("every signal comes three times") {
  auto o = two_nats();
  o.mangle = [](const signal& s) { return copies{{0ms, s}, {30ms, s}, {500ms, s}}; };
  meeting m(o);
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 100ms);
  m.world.run_for(10s);
  CHECK(m.left->disconnections() == 0);
  CHECK(m.hear_each_other());
}

TEST_CASE("the end of candidates overtakes the candidates") {
  auto o = two_nats();
  o.mangle = [](const signal& s) {
    const bool end = std::holds_alternative<end_of_candidates>(s);
    return copies{{end ? 0ms : std::holds_alternative<ice::candidate>(s) ? 2000ms : 100ms, s}};
  };
  meeting m(o);
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
}

TEST_CASE("candidates trickle in slowly: the connection waits for nothing else") {
  auto o = two_nats();
  o.mangle = [](const signal& s) {
    return copies{{std::holds_alternative<description>(s) ? 0ms : 20s, s}};
  };
  meeting m(o);
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took >= 20s);
  CHECK(met.took <= 20'300ms);
}

TEST_CASE("one side tells no candidates: it is found by its checks") {
  meeting m({.right = {.open = true}, .turn = false, .mangle = [](const signal& s) -> copies {
               auto out = s;
               if (auto* d = std::get_if<description>(&out)) {
                 std::erase_if(d->candidates,
                               [](const ice::candidate& c) { return is_private(c.address.ip); });
                 return {{0ms, out}};
               }
               if (std::holds_alternative<ice::candidate>(s)) return {};
               return {{0ms, s}};
             }});
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 100ms);
  CHECK(m.right->paths().back().second.remote.kind == ice::candidate_kind::peer_reflexive);
}

TEST_CASE(
    "whoever waits for offers has gathered: no slower than one round trip behind the answer") {
  auto o = two_nats();
  o.head_start = 1s;
  meeting m(o);
  const auto met = m.connect();
  INFO(m.story());
  CHECK(met.path == path_kind::direct);
  CHECK(met.took <= 100ms);
}
