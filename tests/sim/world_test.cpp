#include "tests/sim/world.hpp"

#include <stdexcept>

#include "tests/check.hpp"
#include "tests/sim/probe.hpp"

using namespace nat;
using namespace nat::sim;
using namespace std::chrono_literals;

namespace {

// Two public hosts.
struct pair_of_hosts {
  explicit pair_of_hosts(const link_rules& link, std::uint64_t seed = 1) : w(seed) {
    auto& here = w.add_host(w.internet(), link);
    auto& there = w.add_host(w.internet());
    from = here.bind(a, here.v4());
    to = there.bind(b, there.v4());
    w.attach(here, a);
    w.attach(there, b);
    left = &here;
  }
  void say_many(int n) {
    for (int i = 0; i < n; ++i) a.say(from, to, std::to_string(i));
    w.run_for(10s);
  }
  world w;
  probe a, b;
  endpoint from, to;
  host* left;
};

std::string fingerprint(std::uint64_t seed) {
  pair_of_hosts p({.delay = 5ms, .jitter = 20ms, .loss = 0.2, .duplicate = 0.1}, seed);
  p.say_many(100);
  std::string all;
  for (const auto& h : p.b.got) {
    all += h.text + '@' + std::to_string(h.when.time_since_epoch().count()) + ' ';
  }
  return all;
}

struct spinner final : node {
  void handle_datagram(const path&, byte_view, time_point) override {}
  [[nodiscard]] std::optional<time_point> next_timeout() const override { return time_point{}; }
};

}  // namespace

TEST_CASE("a link delays, exactly") {
  pair_of_hosts p({.delay = 20ms});
  const auto start = p.w.now();
  p.a.say(p.from, p.to, "x");
  CHECK(p.w.run_until([&] { return !p.b.got.empty(); }, 1s));
  CHECK(p.w.now() - start == 20ms);
}

TEST_CASE("without jitter the order is kept, with it it is not") {
  pair_of_hosts orderly({.delay = 5ms}), jittery({.delay = 5ms, .jitter = 50ms});
  orderly.say_many(50);
  jittery.say_many(50);
  const auto in_order = [](const probe& p) {
    for (std::size_t i = 0; i < p.got.size(); ++i) {
      if (p.got[i].text != std::to_string(i)) return false;
    }
    return p.got.size() == 50;
  };
  CHECK(in_order(orderly.b));
  CHECK_FALSE(in_order(jittery.b));
  CHECK(jittery.b.got.size() == 50);
}

TEST_CASE("loss, duplication and reordering come as often as asked") {
  pair_of_hosts lossy({.loss = 0.3}), doubling({.duplicate = 0.2}), shuffling({.reorder = 0.5});
  lossy.say_many(2000);
  doubling.say_many(2000);
  shuffling.say_many(2000);
  CHECK(lossy.b.got.size() > 1300);
  CHECK(lossy.b.got.size() < 1500);
  CHECK(lossy.w.counters().lost == 2000 - lossy.b.got.size());
  CHECK(doubling.b.got.size() > 2300);
  CHECK(doubling.b.got.size() < 2500);
  CHECK(shuffling.b.got.size() == 2000);
  CHECK(shuffling.b.got.front().when + 10ms == shuffling.b.got.back().when);
}

TEST_CASE("a packet larger than the MTU does not pass") {
  pair_of_hosts p({.mtu = 1280});
  p.a.say(p.from, p.to, std::string(1252, 'x'));
  p.a.say(p.from, p.to, std::string(1253, 'x'));
  p.w.run_for(1s);
  CHECK(p.b.got.size() == 1);
  CHECK(p.w.counters().too_big == 1);
}

TEST_CASE("segments of one transmit arrive as datagrams of their own") {
  pair_of_hosts p({});
  p.left->send(p.a, {{transport::udp, p.from, p.to}, to_bytes(as_bytes("aaabbbc")), 3, {}});
  p.w.run_for(1s);
  REQUIRE(p.b.got.size() == 3);
  CHECK(p.b.got[0].text == "aaa");
  CHECK(p.b.got[2].text == "c");
}

TEST_CASE("the same seed repeats a run, another does not") {
  CHECK(fingerprint(5) == fingerprint(5));
  CHECK(fingerprint(5) != fingerprint(6));
}

TEST_CASE("a dead end has no route, and an interface that is down carries nothing") {
  pair_of_hosts p({});
  p.w.add_interface(*p.left, p.w.add_dead_end());
  const auto dead = p.left->bind(p.a, p.left->addresses().at(1));
  p.a.say(dead, p.to, "nowhere");
  p.w.run_for(1s);
  CHECK(p.a.failures.size() == 1);
  p.left->set_up(p.from.ip, false);
  p.a.say(p.from, p.to, "down");
  p.w.run_for(1s);
  CHECK(p.a.failures.size() == 2);
  CHECK(p.b.got.empty());
  p.left->set_up(p.from.ip, true);
  p.a.say(p.from, p.to, "up");
  p.w.run_for(1s);
  CHECK(p.b.got.size() == 1);
}

TEST_CASE("actions run at their time") {
  world w{1};
  const auto start = w.now();
  std::vector<int> order;
  w.after(2h, [&] { order.push_back(2); });
  w.after(1s, [&] {
    order.push_back(1);
    CHECK(w.now() == start + 1s);
  });
  CHECK(w.run_until([&] { return order.size() == 2; }, 3h));
  CHECK(order == std::vector{1, 2});
  CHECK(w.now() == start + 2h);
  CHECK_FALSE(w.run_until([] { return false; }, 5s));
  CHECK(w.now() == start + 2h + 5s);
}

TEST_CASE("a node whose time-out never moves is found out") {
  world w{1};
  spinner s;
  w.attach(w.add_host(w.internet()), s);
  CHECK_THROWS_AS(w.run_for(1s), std::runtime_error);
}
