// Whole discoveries behind simulated NATs, in virtual time: what was built is what is named, and in
// time.

#include "stun/behavior/discovery.hpp"

#include <string>

#include "stun/behavior/forecast.hpp"
#include "tests/check.hpp"
#include "tests/stun/behavior/nodes.hpp"

using namespace nat;
using namespace nat::behavior;
using namespace std::chrono_literals;
using test::curious_node;
using test::stun_node;

namespace {

struct result {
  verdict v;
  duration took;
  std::vector<exchange> evidence;
};

// A host behind one NAT, with as many servers as `servers` describes.
struct bench {
  explicit bench(std::uint64_t seed) : w(seed) {}

  sim::world w;
  std::vector<std::unique_ptr<stun_node>> servers;
  discovery_config config;
  sim::link_rules link;
  bool v6 = false;

  stun_node& add_server(stun_node::options o = {}) {
    servers.push_back(std::make_unique<stun_node>(w, o));
    config.servers.push_back(servers.back()->at());
    return *servers.back();
  }

  result run(const sim::nat_rules& rules, duration limit = 5s, unsigned external = 1) {
    auto& gate = w.add_site(
        w.internet(),
        {.rules = rules, .link = link, .external_addresses = external, .v4 = !v6, .v6 = v6});
    return run_on(w.add_host(gate.inside(), {}, !v6, v6), limit);
  }

  result run_on(sim::host& h, duration limit = 5s) {
    curious_node client(w, h, h.addresses().front(), config);
    w.run_until([&] { return client.took.has_value(); }, limit);
    w.detach(client);
    REQUIRE(client.took);
    return {client.finder.verdict(), *client.took, client.finder.evidence()};
  }
};

constexpr std::array dependences{sim::dependence::independent, sim::dependence::address,
                                 sim::dependence::address_and_port};
constexpr std::array choices{sim::port_choice::preserve, sim::port_choice::sequential,
                             sim::port_choice::random, sim::port_choice::block};

dependence named(sim::dependence d) {
  return d == sim::dependence::independent ? dependence::endpoint
         : d == sim::dependence::address   ? dependence::address
                                           : dependence::address_and_port;
}

port_choice named(sim::port_choice c) {
  return c == sim::port_choice::preserve     ? port_choice::preserving
         : c == sim::port_choice::sequential ? port_choice::sequential
         : c == sim::port_choice::random     ? port_choice::random
                                             : port_choice::block;
}

void check_ports(const port_allocation& told, const sim::nat_rules& built) {
  CHECK(told.kind == named(built.ports));
  if (built.ports == sim::port_choice::sequential) CHECK(told.step == built.port_step);
  if (built.ports == sim::port_choice::block) {
    CHECK(told.high - told.low > built.block_size * 0.85);
    CHECK(told.high - told.low < built.block_size * 1.15);
  }
}

// A NAT whose filter stops the test and whose ports can't be foreseen keeps this to itself.
bool hides_hairpin(const sim::nat_rules& rules) {
  return rules.mapping != sim::dependence::independent &&
         rules.filtering != sim::dependence::independent &&
         (rules.ports == sim::port_choice::random || rules.ports == sim::port_choice::block);
}

template <class Check>
void each_nat(Check check) {
  std::uint64_t seed = 0;
  for (const auto mapping : dependences) {
    for (const auto filtering : dependences) {
      for (const auto ports : choices) {
        for (const bool hairpin : {false, true}) {
          const sim::nat_rules rules{.mapping = mapping,
                                     .filtering = filtering,
                                     .ports = ports,
                                     .port_step = static_cast<std::uint16_t>(1 + seed % 3),
                                     .hairpin = hairpin};
          ++seed;
          CAPTURE(seed);
          CAPTURE(to_string(named(mapping)));
          CAPTURE(to_string(named(filtering)));
          CAPTURE(to_string(named(ports)));
          CAPTURE(hairpin);
          check(seed, rules);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("every NAT is named as it was built, within 1.5 s at 30 ms") {
  each_nat([](std::uint64_t seed, const sim::nat_rules& rules) {
    bench b(seed);
    b.add_server();
    const auto [v, took, evidence] = b.run(rules);
    CHECK(v.udp);
    CHECK(v.translated == true);
    CHECK(v.mapping == named(rules.mapping));
    CHECK(v.mapping_depends == (rules.mapping != sim::dependence::independent));
    CHECK(v.filtering == named(rules.filtering));
    check_ports(v.ports, rules);
    CHECK(v.pooling == pooling::paired);
    CHECK(v.hairpin == (hides_hairpin(rules) ? std::nullopt : std::optional(rules.hairpin)));
    CHECK(v.fragments == false);  // the simulator carries none
    CHECK(v.external.size() == 1);
    CHECK(took <= 1500ms);
  });
}

TEST_CASE("lost packets cost time, not truth") {
  // A tenth of the packets of each direction; what remains unknown must be said to be so, and
  // nothing else may be said than what was built.
  unsigned complete = 0, all = 0;
  each_nat([&](std::uint64_t seed, const sim::nat_rules& rules) {
    bench b(seed * 77);
    b.link.loss = 0.1;
    b.add_server();
    const auto [v, took, evidence] = b.run(rules);
    CHECK(v.mapping == named(rules.mapping));
    CHECK(v.filtering == named(rules.filtering));
    ++all;
    if (v.ports.kind == named(rules.ports)) ++complete;
    if (v.hairpin && *v.hairpin) CHECK(rules.hairpin);
    CHECK(took <= 5s);
  });
  CHECK(complete == all);
}

namespace {

const sim::nat_rules symmetric{.mapping = sim::dependence::address_and_port,
                               .ports = sim::port_choice::random};

bool says(const verdict& v, std::string_view word) {
  return std::ranges::any_of(v.unlearned,
                             [&](const auto& line) { return line.find(word) != line.npos; });
}

}  // namespace

TEST_CASE("a third of all packets lost: done in 5 s, and nothing false is said") {
  each_nat([](std::uint64_t seed, const sim::nat_rules& rules) {
    bench b(seed * 1009);
    b.link.loss = 0.3;
    b.add_server();
    const auto [v, took, evidence] = b.run(rules);
    CHECK((v.mapping == named(rules.mapping) || v.mapping == dependence::unknown));
    CHECK((v.filtering == named(rules.filtering) || v.filtering == dependence::unknown));
    CHECK(took <= 5s);
  });
}

TEST_CASE("nothing filtered: three round trips and what listening for a hairpin takes") {
  bench b(1);
  b.add_server();
  const auto [v, took, evidence] =
      b.run({.filtering = sim::dependence::independent, .hairpin = true});
  CHECK(v.filtering == dependence::endpoint);
  CHECK(v.hairpin == true);
  CHECK(classic_name(v) == "full cone");
  // Fragments don't pass a simulated network, and their absence takes several requests.
  CHECK(took <= 800ms);
}

TEST_CASE("a long way to the server is not mistaken for a filter") {
  bench b(1);
  b.add_server({.one_way = 200ms});
  const auto [v, took, evidence] = b.run({.filtering = sim::dependence::independent});
  CHECK(v.filtering == dependence::endpoint);
  CHECK(v.mapping == dependence::endpoint);
  CHECK(took <= 5s);
}

TEST_CASE("no NAT: the open internet, or a firewall") {
  bench b(1);
  b.add_server();
  SUBCASE("open") {
    const auto [v, took, evidence] = b.run_on(b.w.add_host(b.w.internet()));
    CHECK(v.translated == false);
    CHECK(v.mapping == dependence::endpoint);
    CHECK(v.filtering == dependence::endpoint);
    CHECK(classic_name(v) == "open internet");
    CHECK_FALSE(v.hairpin);
    CHECK(v.layers == layers::unknown);
  }
}

TEST_CASE("a server that is dead beside one that lives") {
  bench b(1);
  auto& dead = b.add_server({.udp = false, .tcp = false});
  auto& alive = b.add_server();
  CHECK(dead.at() != alive.at());
  const auto [v, took, evidence] = b.run({});
  CHECK(v.mapping == dependence::endpoint);
  CHECK(v.filtering == dependence::address_and_port);
  CHECK(took <= 5s);
}

TEST_CASE("no server at all: over in 5 s, and not called blocked") {
  bench b(1);
  b.add_server({.udp = false, .tcp = false});
  const auto [v, took, evidence] = b.run({});
  CHECK_FALSE(v.udp);
  CHECK_FALSE(v.udp_blocked);
  CHECK(classic_name(v) == "unknown");
  CHECK(took <= 5s);
  bench none(1);
  curious_node idle(none.w, none.w.add_host(none.w.internet()),
                    none.w.add_host(none.w.internet()).v4(), {});
  CHECK(idle.finder.finished());
}

TEST_CASE("UDP blocked: only TCP answers") {
  bench b(1);
  b.add_server();
  const auto [v, took, evidence] = b.run({.udp_blocked = true});
  CHECK(v.udp_blocked);
  CHECK(classic_name(v) == "udp blocked");
  CHECK(is_hostile(profile_of(v)));
  CHECK(took <= 5s);
}

TEST_CASE("one ordinary server: ports and hairpin, and what stays unknown is said") {
  bench b(1);
  b.add_server({.alternate = false});
  const auto [v, took, evidence] = b.run({.ports = sim::port_choice::sequential});
  CHECK(v.mapping == dependence::unknown);
  CHECK(v.filtering == dependence::unknown);
  CHECK(v.ports == port_allocation{.kind = port_choice::sequential, .step = 1});
  CHECK(v.translated == true);
  CHECK(says(v, "mapping"));
  CHECK(says(v, "filtering"));
  CHECK(classic_name(v) == "unknown");
  CHECK(took <= 1500ms);
}

TEST_CASE("two ordinary servers tell whether the mapping depends on the destination") {
  bench b(1);
  b.add_server({.alternate = false});
  b.add_server({.alternate = false});
  SUBCASE("it does") {
    const auto [v, took, evidence] = b.run(symmetric);
    CHECK(v.mapping == dependence::unknown);
    CHECK(v.mapping_depends);
    CHECK(classic_name(v) == "symmetric");
    CHECK(says(v, "on the port too"));
    CHECK(is_hostile(profile_of(v)));
  }
  SUBCASE("it does not") {
    const auto [v, took, evidence] = b.run({});
    CHECK(v.mapping == dependence::endpoint);
    CHECK_FALSE(v.mapping_depends);
    CHECK(v.filtering == dependence::unknown);
  }
}

TEST_CASE("a second address that does not answer leaves open what only it can tell") {
  bench b(1);
  b.add_server().silence(true);
  const auto [v, took, evidence] = b.run({.filtering = sim::dependence::independent});
  CHECK(v.filtering == dependence::unknown);  // not "address-dependent"
  CHECK(took <= 5s);
}

TEST_CASE("IPv6 is judged by itself: a firewall is no NAT") {
  bench b(1);
  b.v6 = true;
  b.add_server({.v6 = true});
  const auto [v, took, evidence] = b.run({});
  CHECK(v.udp);
  CHECK(v.translated == false);
  CHECK(v.mapping == dependence::endpoint);
  CHECK(v.filtering == dependence::address_and_port);
  CHECK(classic_name(v) == "symmetric firewall");
  CHECK(std::ranges::none_of(v.external, [](const address& a) { return a.v4; }));
  CHECK_FALSE(is_hostile(profile_of(v)));
}

TEST_CASE("several outer addresses: arbitrary pooling") {
  bench b(3);
  b.add_server();
  const auto [v, took, evidence] = b.run({.pooling = sim::pooling::arbitrary}, 5s, 4);
  CHECK(v.pooling == pooling::arbitrary);
  CHECK(v.external.size() > 1);
}

TEST_CASE("a second NAT is told by the router's own address, or by the shared range") {
  bench b(1);
  b.add_server();
  auto& carrier = b.w.add_site(b.w.internet(), {.carrier_grade = true});
  SUBCASE("behind a router whose address is known") {
    auto& home = b.w.add_site(carrier.inside(), {});
    b.config.router_external = home.external()[0];
    const auto [v, took, evidence] = b.run_on(b.w.add_host(home.inside()));
    CHECK(v.layers == layers::carrier_grade);
  }
  SUBCASE("with an inner address of a carrier's NAT") {
    const auto [v, took, evidence] = b.run_on(b.w.add_host(carrier.inside()));
    CHECK(v.layers == layers::carrier_grade);
  }
  SUBCASE("one NAT") {
    auto& home = b.w.add_site(b.w.internet(), {});
    b.config.router_external = home.external()[0];
    CHECK(b.run_on(b.w.add_host(home.inside())).v.layers == layers::one);
  }
  SUBCASE("two of one's own") {
    auto& outer = b.w.add_site(b.w.internet(), {});
    auto& home = b.w.add_site(outer.inside(), {});
    b.config.router_external = home.external()[0];
    CHECK(b.run_on(b.w.add_host(home.inside())).v.layers == layers::doubled);
  }
  SUBCASE("nobody says") {
    CHECK(b.run({}).v.layers == layers::unknown);
  }
}

TEST_CASE("a lifetime of 30 s is found between two bounds, in under three minutes") {
  for (const auto& rules : {sim::nat_rules{.lifetime = 30s},
                            sim::nat_rules{.mapping = sim::dependence::address_and_port,
                                           .ports = sim::port_choice::random,
                                           .lifetime = 30s}}) {
    bench b(1);
    b.config.lifetime = true;
    b.add_server();
    const auto [v, took, evidence] = b.run(rules, 5min);
    REQUIRE(v.lifetime);
    REQUIRE(v.lifetime->gone_after);
    CHECK(v.lifetime->alive_after < 30s);
    CHECK(*v.lifetime->gone_after >= 30s);
    CHECK(*v.lifetime->gone_after - v.lifetime->alive_after <= 2s);
    CHECK(took < 3min);
  }
}

TEST_CASE("lifetimes of five seconds to four minutes, and beyond what is tested") {
  for (const auto lifetime : {5s, 65s, 120s, 240s, 600s}) {
    CAPTURE(lifetime.count());
    bench b(1);
    b.config.lifetime = true;
    b.add_server();
    const auto [v, took, evidence] = b.run({.lifetime = lifetime}, 15min);
    REQUIRE(v.lifetime);
    CHECK(v.lifetime->alive_after < lifetime);
    CHECK(v.lifetime->gone_after.has_value() == (lifetime <= 300s));
    if (v.lifetime->gone_after) CHECK(*v.lifetime->gone_after >= lifetime - 1s);
    CHECK(took <= 11min);
  }
}

TEST_CASE("an ordinary server can't tell the lifetime, and it is said") {
  bench b(1);
  b.config.lifetime = true;
  b.add_server({.alternate = false});
  const auto [v, took, evidence] = b.run({});
  CHECK_FALSE(v.lifetime);
  CHECK(says(v, "lifetime"));
}

TEST_CASE("the same seed, the same evidence; and there is evidence for every test") {
  const auto once = [] {
    bench b(42);
    b.add_server();
    return b.run(symmetric).evidence;
  };
  const auto first = once(), second = once();
  REQUIRE(first.size() == second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(first[i].to == second[i].to);
    CHECK(first[i].mapped == second[i].mapped);
  }
  for (const auto why : {purpose::mapping, purpose::filtering, purpose::ports, purpose::hairpin,
                         purpose::fragments}) {
    CHECK(std::ranges::any_of(first, [&](const exchange& e) { return e.why == why; }));
  }
  CHECK(std::ranges::none_of(first, [](const exchange& e) { return e.what == outcome::pending; }));
}
