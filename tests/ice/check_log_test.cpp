#include "ice/check_log.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::ice;
using namespace std::chrono_literals;

namespace {
const time_point t0{1h};
}

TEST_CASE("each check has its own id, and its answer tells when it was sent") {
  test::seeded_random random;
  check_log log(random);
  const auto first = log.record({t0, role::controlling, 7}, random);
  const auto second = log.record({t0 + 1s, role::controlled, 0}, random);
  CHECK(first != second);
  const auto answer = log.take_answer(first);
  REQUIRE(answer);
  REQUIRE(answer->check);
  CHECK(answer->check->at == t0);
  CHECK(answer->check->as == role::controlling);
  CHECK(answer->check->nomination == 7);
  CHECK(log.take_answer(second)->check->at == t0 + 1s);
}

TEST_CASE("a repeated answer proves nothing") {
  test::seeded_random random;
  check_log log(random);
  const auto id = log.record({t0}, random);
  CHECK(log.take_answer(id));
  CHECK_FALSE(log.take_answer(id));
}

TEST_CASE("an answer to a check long ago is recognised, without a round trip") {
  test::seeded_random random;
  check_log log(random);
  const auto id = log.record({t0}, random);
  for (std::size_t n = 0; n < check_log::remembered; ++n) {
    CHECK(log.owns(id));
    if (n + 1 < check_log::remembered) (void)log.record({t0 + 1s}, random);
  }
  (void)log.record({t0 + 2s}, random);
  const auto answer = log.take_answer(id);
  REQUIRE(answer);
  CHECK_FALSE(answer->check);
  CHECK(answer->sent_before == t0 + 1s);
}

TEST_CASE("ids that were never sent, or of another pair, are not owned") {
  test::seeded_random random;
  check_log log(random);
  check_log other(random);
  auto id = log.record({t0}, random);
  CHECK_FALSE(other.owns(id));
  id.octets[11] = std::byte{1};  // the next sequence number
  CHECK_FALSE(log.owns(id));
  CHECK_FALSE(log.take_answer(id));
}

TEST_CASE("ids never repeat, however many checks a pair lives through") {
  test::seeded_random random;
  check_log log(random);
  const auto first = log.record({t0}, random);
  for (int n = 0; n < 70'000; ++n) {
    const auto id = log.record({t0}, random);
    if (id == first) FAIL("an id came twice");
  }
  CHECK_FALSE(log.owns(first));  // the prefix has changed
}
