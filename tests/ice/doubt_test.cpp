#include "ice/doubt.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::ice;
using namespace std::chrono_literals;

namespace {
const time_point t0{1h};
}

TEST_CASE("what is sent and gets no sign of life raises doubt") {
  doubt d(700ms);
  CHECK_FALSE(d.raised_at(40ms));
  d.sent(t0);
  d.sent(t0 + 500ms);
  CHECK(d.raised_at(40ms) == t0 + 700ms);
  d.received(t0 + 600ms);
  CHECK_FALSE(d.raised_at(40ms));
  d.sent(t0 + 650ms);
  CHECK(d.raised_at(40ms) == t0 + 1350ms);
}

TEST_CASE("a long round trip is given its time") {
  doubt d(700ms);
  d.sent(t0);
  CHECK(d.raised_at(1s) == t0 + 1600ms);
  d.raise(t0 + 1600ms);
  CHECK(d.dead_at(1s) == t0 + 3700ms);
}

TEST_CASE("a doubted path is dead 300 ms later, unless it shows life") {
  doubt d(700ms);
  d.sent(t0);
  d.raise(t0 + 700ms);
  CHECK_FALSE(d.raised_at(40ms));
  CHECK(d.dead_at(40ms) == t0 + 1s);
  d.raise(t0 + 800ms);  // does not start over
  CHECK(d.dead_at(40ms) == t0 + 1s);
  d.received(t0 + 900ms);
  CHECK_FALSE(d.raised());
  CHECK_FALSE(d.dead_at(40ms));
}

TEST_CASE("unanswered checks while data comes in: 12 s, and then only an answer helps") {
  doubt d(700ms);
  d.asked(t0);
  for (int s = 1; s < 12; ++s) {
    d.received(t0 + std::chrono::seconds{s});
    d.asked(t0 + std::chrono::seconds{s} + 100ms);
  }
  d.received(t0 + 11'900ms);
  CHECK(d.raised_at(40ms) == t0 + 12s);
  d.raise(t0 + 12s);
  d.received(t0 + 12'100ms);
  CHECK(d.raised());
  d.answered(t0 + 12'200ms);
  CHECK_FALSE(d.raised());
  CHECK_FALSE(d.raised_at(40ms));
}

TEST_CASE("another path starts without doubt") {
  doubt d(700ms);
  d.asked(t0);
  d.raise(t0);
  d.forget();
  CHECK_FALSE(d.raised());
  CHECK_FALSE(d.raised_at(40ms));
  d.sent(t0 + 1s);
  CHECK(d.raised_at(40ms) == t0 + 1700ms);
}
