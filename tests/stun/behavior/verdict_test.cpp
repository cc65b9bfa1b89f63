// The judgments that need no network: ports, names, forecasts, and evidence made by hand.

#include "stun/behavior/verdict.hpp"

#include "stun/behavior/forecast.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::behavior;
using namespace std::chrono_literals;

namespace {

std::vector<port_sample> samples(std::initializer_list<int> external) {
  std::vector<port_sample> out;
  std::uint16_t local = 50'000;
  for (const auto port : external) {
    out.push_back({local, static_cast<std::uint16_t>(port), false});
    local = static_cast<std::uint16_t>(local + 7);
  }
  return out;
}

profile cone(dependence filtering) {
  return {.mapping = dependence::endpoint, .filtering = filtering};
}
profile hard(port_choice ports, dependence filtering = dependence::address_and_port) {
  return {.mapping = dependence::address_and_port,
          .mapping_depends = true,
          .filtering = filtering,
          .ports = ports};
}

}  // namespace

TEST_CASE("ports in sequence, whatever the step, with gaps and a new beginning") {
  const auto step = [](std::initializer_list<int> external) {
    const auto told = classify_ports(samples(external));
    CHECK(told.kind == port_choice::sequential);
    return told.step;
  };
  CHECK(step({20000, 20001, 20002}) == 1);
  CHECK(step({20000, 20002, 20004, 20006}) == 2);
  CHECK(step({20010, 20009, 20008}) == -1);
  CHECK(step({20000, 20002, 20006, 20008, 20012}) == 2);
  CHECK(step({20000, 20001, 20002, 20005, 20006}) == 1);  // another host took two
  CHECK(step({65534, 65535, 1024, 1025, 1026}) == 1);
  CHECK(step({20000, 20004, 20010}) == 2);
}

TEST_CASE("ports kept, ports at random, and too few to tell") {
  CHECK(classify_ports(samples({50000, 50007, 50014, 50021})).kind == port_choice::preserving);
  CHECK(classify_ports(samples({50000, 50007, 50014, 1024})).kind == port_choice::preserving);
  CHECK(classify_ports(samples({31000, 2000, 64000, 17000})).kind == port_choice::random);
  CHECK(classify_ports(samples({31000, 31500, 31200, 31900})).kind == port_choice::random);
  CHECK(classify_ports(samples({50000, 50007})).kind == port_choice::unknown);
  CHECK(classify_ports({}).kind == port_choice::unknown);
}

TEST_CASE("a block takes many samples, and its bounds lie a mean gap beyond the outermost") {
  std::vector<port_sample> many;
  for (std::uint16_t i = 0; i < block_samples; ++i) {
    many.push_back(
        {60000, static_cast<std::uint16_t>(30000 + (i * 7 % block_samples) * 20), false});
  }
  const auto told = classify_ports(many);
  CHECK(told.kind == port_choice::block);
  CHECK(told.low == 29980);
  CHECK(told.high == 30480);
}

TEST_CASE("RFC 3489's names") {
  verdict v{.udp = true, .translated = true, .mapping = dependence::endpoint};
  CHECK(classic_name(v) == "unknown");
  v.filtering = dependence::endpoint;
  CHECK(classic_name(v) == "full cone");
  v.filtering = dependence::address;
  CHECK(classic_name(v) == "restricted cone");
  v.filtering = dependence::address_and_port;
  CHECK(classic_name(v) == "port-restricted cone");
  v.mapping = dependence::address;
  v.mapping_depends = true;
  CHECK(classic_name(v) == "symmetric");
  v.translated = false;
  CHECK(classic_name(v) == "symmetric firewall");
  v.filtering = dependence::endpoint;
  CHECK(classic_name(v) == "open internet");
  CHECK(classic_name(verdict{}) == "unknown");
  CHECK(classic_name(verdict{.udp_blocked = true}) == "udp blocked");
}

TEST_CASE("forecasts: what gets through which pair") {
  const auto port_restricted = cone(dependence::address_and_port);
  const auto restricted = cone(dependence::address);
  const auto random = hard(port_choice::random), sequence = hard(port_choice::sequential);
  const auto block = hard(port_choice::block);
  const auto hard_but_open = hard(port_choice::random, dependence::endpoint);

  CHECK(forecast(port_restricted, port_restricted) == way::direct);
  CHECK(forecast(restricted, random) == way::direct);
  CHECK(forecast(port_restricted, sequence) == way::predicted);
  CHECK(forecast(port_restricted, random) == way::sprayed);
  CHECK(forecast(port_restricted, hard_but_open) == way::direct);
  CHECK(forecast(random, random) == way::relayed);
  CHECK(forecast(random, block) == way::relayed);
  CHECK(forecast(block, block) == way::sprayed);
  CHECK(forecast(sequence, sequence) == way::predicted);
  CHECK(forecast(sequence, random) == way::sprayed);
  CHECK(forecast(random, hard_but_open) == way::direct);
  CHECK(forecast(profile{.udp = false}, port_restricted) == way::relayed);
  CHECK(forecast(profile{}, port_restricted) == way::unknown);
  // It doesn't matter who asks.
  for (const auto& a : {port_restricted, restricted, random, sequence, block, hard_but_open}) {
    for (const auto& b : {port_restricted, restricted, random, sequence, block, hard_but_open}) {
      CHECK(forecast(a, b) == forecast(b, a));
    }
  }
  CHECK(to_string(forecast(port_restricted, sequence)) == "direct, by ports predicted");
}

TEST_CASE("advice names every kind of peer; hostile is who can't reach the commonest") {
  const auto all = advise(hard(port_choice::sequential));
  REQUIRE(all.size() == 7);
  CHECK(all[3].peer == "port-restricted cone");
  CHECK(all[3].by == way::predicted);
  CHECK(all.back().by == way::relayed);
  CHECK(is_hostile(hard(port_choice::random)));
  CHECK(is_hostile(hard(port_choice::sequential)));
  CHECK(is_hostile(profile{.udp = false}));
  CHECK_FALSE(is_hostile(cone(dependence::address_and_port)));
  CHECK_FALSE(is_hostile(hard(port_choice::random, dependence::endpoint)));
  CHECK_FALSE(is_hostile(profile{}));
}

TEST_CASE("sockets are not compared with each other, and unanswered questions count for nothing") {
  const endpoint a = *parse_endpoint("198.51.100.1:3478"), b = *parse_endpoint("198.51.100.2:3478");
  const endpoint one = *parse_endpoint("10.0.0.1:1000"), two = *parse_endpoint("10.0.0.1:2000");
  const auto seen = [](const endpoint& local, const endpoint& to, const char* mapped) {
    return exchange{.local = local,
                    .to = to,
                    .what = outcome::answered,
                    .mapped = parse_endpoint(mapped),
                    .sends = 1};
  };
  std::vector<exchange> all{seen(one, a, "203.0.113.1:1000"), seen(two, b, "203.0.113.1:2000")};
  CHECK(judge(all, {.server = a}).mapping == dependence::unknown);
  all.push_back(exchange{.local = one, .to = b});
  CHECK(judge(all, {.server = a}).mapping == dependence::unknown);
  all.push_back(seen(one, b, "203.0.113.1:1000"));
  CHECK(judge(all, {.server = a}).mapping == dependence::endpoint);
  all.back().mapped->port = 7;
  const auto v = judge(all, {.server = a});
  CHECK(v.mapping_depends);
  CHECK(v.mapping == dependence::unknown);  // nobody compared two ports of one address
}
