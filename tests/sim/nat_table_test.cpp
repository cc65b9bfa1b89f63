#include "tests/sim/nat_table.hpp"

#include <set>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::sim;
using enum nat_table::verdict;

namespace {

constexpr auto start = time_point{std::chrono::hours{1}};
const endpoint inner = *parse_endpoint("192.168.1.2:5000");
const endpoint inner_2 = *parse_endpoint("192.168.1.3:5000");
const endpoint remote = *parse_endpoint("203.0.113.9:3478");
const endpoint other_port = *parse_endpoint("203.0.113.9:3479");
const endpoint other_host = *parse_endpoint("203.0.113.10:3478");
const address outer = *parse_address("203.0.113.1");
const address outer_2 = *parse_address("203.0.113.2");

struct fixture {
  dice chance{7};
  nat_rules rules;
  nat_table make(std::vector<address> external = {outer}) {
    return {rules, rules.filtering, std::move(external), chance};
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "mapping depends on what RFC 4787, 4.1 says") {
  struct row {
    dependence mapping;
    bool same_for_port, same_for_host;
  };
  for (const auto& [mapping, same_for_port, same_for_host] :
       {row{dependence::independent, true, true}, row{dependence::address, true, false},
        row{dependence::address_and_port, false, false}}) {
    rules.mapping = mapping;
    auto table = make();
    const auto first = table.outbound(inner, remote, start);
    REQUIRE(first);
    CHECK(first->ip == outer);
    CHECK(table.outbound(inner, remote, start) == first);
    CHECK((table.outbound(inner, other_port, start) == first) == same_for_port);
    CHECK((table.outbound(inner, other_host, start) == first) == same_for_host);
    CHECK(table.outbound(inner_2, remote, start) != first);
  }
}

TEST_CASE_FIXTURE(fixture, "filtering depends on what RFC 4787, 5 says") {
  struct row {
    dependence filtering;
    bool port_passes, host_passes;
  };
  for (const auto& [filtering, port_passes, host_passes] :
       {row{dependence::independent, true, true}, row{dependence::address, true, false},
        row{dependence::address_and_port, false, false}}) {
    rules.filtering = filtering;
    auto table = make();
    const auto external = *table.outbound(inner, remote, start);
    CHECK(table.inbound(external, remote, start).what == pass);
    CHECK(table.inbound(external, remote, start).inner == inner);
    CHECK((table.inbound(external, other_port, start).what == pass) == port_passes);
    CHECK((table.inbound(external, other_host, start).what == pass) == host_passes);
    CHECK(table.inbound({outer, 1}, remote, start).what == refused);
  }
}

TEST_CASE_FIXTURE(fixture, "ports are chosen as asked") {
  SUBCASE("preserving, and the next one where that is taken") {
    auto table = make();
    CHECK(table.outbound(inner, remote, start)->port == 5000);
    CHECK(table.outbound(inner_2, remote, start)->port == 5001);
  }
  SUBCASE("sequential with a step") {
    rules.mapping = dependence::address_and_port;
    rules.ports = port_choice::sequential;
    rules.port_step = 2;
    auto table = make();
    const auto first = table.outbound(inner, remote, start)->port;
    CHECK(table.outbound(inner, other_port, start)->port == first + 2);
    CHECK(table.outbound(inner, other_host, start)->port == first + 4);
  }
  SUBCASE("random over all") {
    rules.ports = port_choice::random;
    rules.mapping = dependence::address_and_port;
    auto table = make();
    std::set<std::uint16_t> seen;
    for (std::uint16_t i = 1; i <= 200; ++i) {
      seen.insert(table.outbound(inner, {remote.ip, i}, start)->port);
    }
    CHECK(seen.size() == 200);
    CHECK(*seen.rbegin() - *seen.begin() > 30000);
  }
  SUBCASE("random in one block, until it is used up") {
    rules.ports = port_choice::block;
    rules.block_size = 64;
    rules.mapping = dependence::address_and_port;
    auto table = make();
    std::set<std::uint16_t> seen;
    for (std::uint16_t i = 1; i <= 64; ++i) {
      const auto external = table.outbound(inner, {remote.ip, i}, start);
      REQUIRE(external);
      seen.insert(external->port);
    }
    CHECK(seen.size() == 64);
    CHECK(*seen.rbegin() - *seen.begin() == 63);
    CHECK_FALSE(table.outbound(inner, {remote.ip, 65}, start));
  }
}

TEST_CASE_FIXTURE(fixture, "a mapping lives as long as something leaves through it") {
  rules.lifetime = std::chrono::seconds{30};
  rules.ports = port_choice::random;
  auto table = make();
  const auto external = *table.outbound(inner, remote, start);
  const auto later = start + std::chrono::seconds{20},
             much_later = start + std::chrono::seconds{45};
  CHECK(table.outbound(inner, remote, later) == external);
  CHECK(table.inbound(external, remote, much_later).what == pass);
  SUBCASE("what comes in does not refresh it") {
    CHECK(table.inbound(external, remote, start + std::chrono::seconds{51}).what == refused);
    CHECK(table.outbound(inner, remote, start + std::chrono::seconds{51}) != external);
  }
  SUBCASE("unless the rules say so") {
    rules.inbound_refreshes = true;
    auto kind = make();
    const auto e = *kind.outbound(inner, remote, start);
    CHECK(kind.inbound(e, remote, later).what == pass);
    CHECK(kind.inbound(e, remote, much_later).what == pass);
    CHECK(kind.inbound(e, remote, much_later + rules.lifetime).what == refused);
  }
}

TEST_CASE_FIXTURE(fixture, "a filter's entry ages on its own") {
  rules.lifetime = std::chrono::seconds{30};
  auto table = make();
  const auto external = *table.outbound(inner, remote, start);
  table.outbound(inner, other_host, start + std::chrono::seconds{20});
  const auto later = start + std::chrono::seconds{40};
  CHECK(table.inbound(external, other_host, later).what == pass);
  CHECK(table.inbound(external, remote, later).what == refused);
}

TEST_CASE_FIXTURE(fixture, "mappings run out, and expired ones make room") {
  rules.max_mappings = 2;
  auto table = make();
  CHECK(table.outbound({inner.ip, 1001}, remote, start));
  CHECK(table.outbound({inner.ip, 1002}, remote, start));
  CHECK_FALSE(table.outbound({inner.ip, 1003}, remote, start));
  CHECK(table.size(start) == 2);
  CHECK(table.outbound({inner.ip, 1003}, remote, start + rules.lifetime));
  CHECK(table.size(start + rules.lifetime) == 1);
}

TEST_CASE_FIXTURE(fixture, "pooling is paired or arbitrary") {
  rules.mapping = dependence::address_and_port;
  for (const auto how : {pooling::paired, pooling::arbitrary}) {
    rules.pooling = how;
    auto table = make({outer, outer_2});
    std::set<address> seen;
    for (std::uint16_t i = 1; i <= 40; ++i) {
      seen.insert(table.outbound(inner, {remote.ip, i}, start)->ip);
    }
    CHECK(seen.size() == (how == pooling::paired ? 1 : 2));
  }
}

TEST_CASE_FIXTURE(fixture, "with open input the packet that comes too early moves the mapping") {
  rules.open_input = true;
  auto table = make();
  const auto external = *table.outbound(inner, other_host, start);
  CHECK(table.inbound(external, remote, start).what == taken_in);

  const auto moved = *table.outbound(inner, remote, start);
  CHECK(moved != external);
  CHECK(table.outbound(inner, remote, start) == moved);
  CHECK(table.outbound(inner, other_host, start) == external);

  SUBCASE("the peer's retransmissions keep it so, and never pass") {
    for (int i = 1; i < 10; ++i) {
      const auto t = start + i * std::chrono::seconds{10};
      CHECK(table.inbound(external, remote, t).what == taken_in);
      CHECK(table.outbound(inner, remote, t) == moved);
    }
  }
  SUBCASE("the moved port lets in its remote and no other") {
    CHECK(table.inbound(moved, remote, start).what == pass);
    CHECK(table.inbound(moved, other_host, start).what == taken_in);
  }
}

TEST_CASE_FIXTURE(fixture, "with open input a flow that leaves first keeps its mapping") {
  rules.open_input = true;
  auto table = make();
  const auto external = *table.outbound(inner, other_host, start);
  CHECK(table.outbound(inner, remote, start) == external);
  CHECK(table.inbound(external, remote, start).what == pass);
  CHECK(table.outbound(inner, remote, start) == external);
}

TEST_CASE_FIXTURE(fixture, "without translation the inner endpoint is the outer one") {
  rules.translates = false;
  auto table = make({});
  CHECK(table.outbound(inner, remote, start) == inner);
  CHECK(table.inbound(inner, remote, start).what == pass);
  CHECK(table.inbound(inner, other_host, start).what == refused);
  CHECK(table.inbound(inner_2, remote, start).what == refused);
}
