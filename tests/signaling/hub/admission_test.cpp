// Who may come in, and how often.

#include "signaling/hub/admission.hpp"

#include "signaling/hub/metrics.hpp"
#include "tests/check.hpp"

namespace nat::hub {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};

address at(std::string_view text) {
  return parse_address(text).value();
}

std::string_view outcome(const std::expected<void, rejection>& entered) {
  return entered ? "in" : to_string(entered.error());
}

TEST_CASE("connections are counted in all, by IPv4 address and by IPv6 /64") {
  limits l;
  l.max_connections = 5;
  l.max_connections_per_address = 2;
  test::seeded_random random;
  admission door(l, random);
  CHECK(outcome(door.enter(at("192.0.2.1"), start)) == "in");
  CHECK(outcome(door.enter(at("::ffff:192.0.2.1"), start)) == "in");
  CHECK(outcome(door.enter(at("192.0.2.1"), start)) == "address");
  CHECK(outcome(door.enter(at("2001:db8::1"), start)) == "in");
  CHECK(outcome(door.enter(at("2001:db8::ffff:2"), start)) == "in");
  CHECK(outcome(door.enter(at("2001:db8::3"), start)) == "address");
  CHECK(outcome(door.enter(at("2001:db8:0:1::1"), start)) == "in");
  CHECK(outcome(door.enter(at("192.0.2.2"), start)) == "total");  // the sixth
  door.leave(at("192.0.2.1"), start);
  CHECK(outcome(door.enter(at("192.0.2.1"), start)) == "in");
  CHECK(door.count() == 5);
}

TEST_CASE("a proxy's connections count in all, and for a client once it is known") {
  limits l;
  l.max_connections = 3;
  l.max_connections_per_address = 1;
  test::seeded_random random;
  admission door(l, random);
  CHECK(outcome(door.enter(std::nullopt, start)) == "in");
  CHECK(outcome(door.enter(std::nullopt, start)) == "in");
  CHECK(outcome(door.enter(std::nullopt, start)) == "in");
  CHECK(outcome(door.enter(std::nullopt, start)) == "total");
  CHECK(outcome(door.name(at("192.0.2.1"), start)) == "in");
  CHECK(outcome(door.name(at("192.0.2.1"), start)) == "address");
  door.leave(at("192.0.2.1"), start);
  door.leave(std::nullopt, start);
  CHECK(door.count() == 1);
  CHECK(outcome(door.enter(at("192.0.2.1"), start)) == "in");
}

TEST_CASE("an address has a rate of new connections, which its leaving does not forget") {
  limits l;
  l.connections_per_second_per_address = 0.5;  // bursts of ten
  test::seeded_random random;
  admission door(l, random);
  auto now = start;
  const auto come_and_go = [&](std::string_view from) {
    const auto how = outcome(door.enter(at(from), now));
    if (how == "in") door.leave(at(from), now);
    return how;
  };
  for (int i = 0; i < 10; ++i) CHECK(come_and_go("2001:db8::" + std::to_string(i)) == "in");
  for (int i = 0; i < 1000; ++i) CHECK(come_and_go("2001:db8::7") == "rate");
  CHECK(come_and_go("2001:db8:0:1::7") == "in");
  now += 1999ms;
  CHECK(come_and_go("2001:db8::1") == "rate");
  now += 1ms;  // what was refused has cost nothing
  CHECK(come_and_go("2001:db8::1") == "in");
  CHECK(come_and_go("2001:db8::1") == "rate");
  now += 1h;
  for (int i = 0; i < 10; ++i) CHECK(come_and_go("2001:db8::1") == "in");
  CHECK(come_and_go("2001:db8::1") == "rate");
  CHECK(door.count() == 0);
}

TEST_CASE("a proxy's client is charged when it is known") {
  limits l;
  l.connections_per_second_per_address = 0.1;  // bursts of two
  test::seeded_random random;
  admission door(l, random);
  for (int i = 0; i < 100; ++i) CHECK(outcome(door.enter(std::nullopt, start)) == "in");
  for (int i = 0; i < 2; ++i) CHECK(outcome(door.name(at("192.0.2.1"), start)) == "in");
  CHECK(outcome(door.name(at("192.0.2.1"), start)) == "rate");
  CHECK(outcome(door.name(at("192.0.2.2"), start)) == "in");
}

TEST_CASE("the default lets an office come back at once, and again") {
  test::seeded_random random;
  admission door(limits{}, random);
  auto now = start;
  for (int time = 0; time < 3; ++time) {
    for (int i = 0; i < 256; ++i) REQUIRE(outcome(door.enter(at("192.0.2.1"), now)) == "in");
    for (int i = 0; i < 256; ++i) door.leave(at("192.0.2.1"), now);
    now += 13s;
  }
}

TEST_CASE("rates are remembered until they are full again, and a bounded number of them") {
  limits l;
  l.max_connections = 0;
  l.connections_per_second_per_address = 0.1;
  test::seeded_random random;
  admission door(l, random);
  auto now = start;
  const auto visit = [&](std::uint32_t number) {
    auto from = at("10.0.0.0");
    for (std::size_t i = 1; i < 4; ++i) from.octets[i] = std::byte(number >> (8 * (3 - i)));
    const auto how = outcome(door.enter(from, now));
    if (how == "in") door.leave(from, now);
    return how;
  };
  REQUIRE(outcome(door.enter(at("192.0.2.1"), now)) == "in");  // stays
  constexpr auto many = static_cast<std::uint32_t>(2 * admission::max_resting);
  for (std::uint32_t i = 0; i < many; ++i) REQUIRE(visit(i) == "in");
  CHECK(door.sites() == 1 + admission::max_resting);
  CHECK(visit(many - 1) == "in");
  CHECK(visit(many - 1) == "rate");  // the latest are known
  CHECK(visit(0) == "in");
  CHECK(visit(0) == "in");  // the oldest were forgotten
  now += 21s;               // two go with each that leaves
  const auto before = door.sites();
  for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(visit(many + i) == "in");
  CHECK(door.sites() == before - 1000);
  door.leave(at("192.0.2.1"), now);
  CHECK(door.count() == 0);
}

TEST_CASE("what was turned away is told by the limit") {
  gauges g;
  g.connections_rejected = {1, 2, 3};
  const auto text = metrics_text({}, g);
  for (const char* line :
       {"{limit=\"total\"} 1\n", "{limit=\"address\"} 2\n", "{limit=\"rate\"} 3\n"}) {
    CHECK_MESSAGE(text.contains(std::string("\nsignaling_connections_rejected_total") + line),
                  line);
  }
}

TEST_CASE("zero means no limit") {
  limits l;
  l.max_connections = l.max_connections_per_address = 0;
  l.connections_per_second_per_address = 0;
  test::seeded_random random;
  admission door(l, random);
  for (int i = 0; i < 1000; ++i) CHECK(outcome(door.enter(at("192.0.2.1"), start)) == "in");
}

}  // namespace
}  // namespace nat::hub
