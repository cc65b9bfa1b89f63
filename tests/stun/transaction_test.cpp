#include "stun/transaction.hpp"

#include <vector>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::stun;
using namespace std::chrono_literals;

namespace {

using action = retransmit_timer::action;

constexpr time_point start{1000s};

}  // namespace

TEST_CASE("retransmission: the schedule of RFC 8489, 6.2.1") {
  retransmit_timer timer({}, start);
  std::vector<duration> sends;
  auto due = action::wait;
  while (due != action::give_up) {
    const auto next = timer.next();
    CHECK(timer.poll(next - 1ns) == action::wait);
    due = timer.poll(next);
    CHECK(due != action::wait);
    if (due == action::resend) sends.push_back(next - start);
  }
  CHECK(sends == std::vector<duration>{500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms});
  CHECK(timer.sends() == 7);
  CHECK(timer.next() - start == 39500ms);
  CHECK(timer.poll(start + 1h) == action::give_up);  // and it stays so
}

TEST_CASE("retransmission: an owner that slept does not send a burst") {
  retransmit_timer timer({}, start);
  CHECK(timer.poll(start + 1h) == action::resend);
  CHECK(timer.poll(start + 1h) == action::wait);
  CHECK(timer.next() == start + 1h + 1s);
}

TEST_CASE("retransmission: a stream sends once") {
  retransmit_timer timer({.reliable = true}, start);
  CHECK(timer.next() == start + 39500ms);
  CHECK(timer.poll(start + 39499ms) == action::wait);
  CHECK(timer.poll(start + 39500ms) == action::give_up);
  CHECK(timer.sends() == 1);
}

TEST_CASE("retransmission: rules out of all proportion neither overflow nor spin") {
  retransmit_timer many({.initial_rto = 1h, .max_sends = 100'000}, start);
  for (int i = 0; i < 1000; ++i) CHECK(many.poll(many.next()) == action::resend);
  CHECK(many.next() == start + 1001h);
  retransmit_timer zero({.initial_rto = duration{}, .max_sends = 1, .final_wait = 1}, start);
  CHECK(zero.poll(start) == action::wait);
  CHECK(zero.poll(start + 1ns) == action::give_up);
}

TEST_CASE("round trip: RFC 6298") {
  round_trip_estimate estimate;
  CHECK_FALSE(estimate.smoothed());
  CHECK(estimate.rto(500ms, 20ms) == 500ms);
  CHECK(estimate.rto(5ms, 20ms) == 20ms);
  estimate.add(80ms);
  CHECK(estimate.smoothed() == 80ms);
  CHECK(estimate.rto(500ms, 20ms) == 240ms);  // 80 + 4 * 40
  estimate.add(160ms);
  CHECK(estimate.smoothed() == 90ms);         // 7/8 * 80 + 1/8 * 160
  CHECK(estimate.rto(500ms, 20ms) == 290ms);  // 90 + 4 * (3/4 * 40 + 1/4 * 80)
  for (int i = 0; i < 200; ++i) estimate.add(10ms);
  CHECK(estimate.rto(500ms, 20ms) == 20ms);
  estimate.add(-5s);  // a clock that stepped back counts as no time at all
  CHECK(*estimate.smoothed() >= 0ms);
}
