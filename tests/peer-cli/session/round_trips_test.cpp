#include "peer-cli/session/round_trips.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::session;
using namespace std::chrono_literals;

TEST_CASE("round trips: nothing has no figures") {
  CHECK_FALSE(round_trips{}.summarize());
}

TEST_CASE("round trips: one value is all of them, and deviates by nothing") {
  round_trips times;
  times.add(5ms);
  const auto f = times.summarize();
  REQUIRE(f);
  CHECK((f->min == 5ms && f->median == 5ms && f->mean == 5ms && f->max == 5ms));
  CHECK(f->mdev == 0ms);
}

TEST_CASE("round trips: worked by hand") {
  round_trips times;
  for (const auto d : {4ms, 2ms, 9ms, 5ms, 4ms, 7ms, 5ms, 4ms}) times.add(d);
  const auto f = times.summarize();
  REQUIRE(f);
  CHECK(f->min == 2ms);
  CHECK(f->max == 9ms);
  CHECK(f->mean == 5ms);
  CHECK(f->median == 4500us);
  CHECK(f->mdev == 2ms);  // the textbook's example
}

TEST_CASE("round trips: an hour of delay is no special case") {
  round_trips times;
  times.add(1h);
  times.add(3h);
  times.add(2h);
  const auto f = times.summarize();
  REQUIRE(f);
  CHECK((f->min == 1h && f->median == 2h && f->mean == 2h && f->max == 3h));
}

TEST_CASE("round trips: memory is bounded; the median forgets, the others do not") {
  round_trips times;
  times.add(1us);
  times.add(1h);
  for (std::size_t i = 0; i < round_trips::max_kept; ++i) times.add(10ms);
  const auto f = times.summarize();
  REQUIRE(f);
  CHECK(times.count() == round_trips::max_kept + 2);
  CHECK(f->median == 10ms);
  CHECK((f->min == 1us && f->max == 1h));
}
