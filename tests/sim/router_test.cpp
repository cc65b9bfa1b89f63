#include <memory>

#include "tests/check.hpp"
#include "tests/sim/probe.hpp"
#include "tests/sim/world.hpp"

using namespace nat;
using namespace nat::sim;
using namespace std::chrono_literals;

namespace {

struct fixture {
  world w{1};
  probe client, neighbour, server{true};
  endpoint server_at, client_at;
  router* gate = nullptr;
  host* inside = nullptr;

  void build(const site& s) {
    auto& public_host = w.add_host(w.internet(), {}, true, true);
    server_at = public_host.bind(server, public_host.v4(), 3478);
    w.attach(public_host, server);
    gate = &w.add_site(w.internet(), s);
    inside = &w.add_host(gate->inside(), {}, s.v4, s.v6);
    client_at = inside->bind(client, inside->addresses().front(), 5000);
    w.attach(*inside, client);
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "a host behind a NAT is seen with the router's address") {
  build({});
  client.say(client_at, server_at, "hello");
  w.run_for(1s);
  REQUIRE(server.got.size() == 1);
  CHECK(server.got[0].via.remote == endpoint{gate->external()[0], 5000});
  REQUIRE(client.got.size() == 1);
  CHECK(client.got[0].via == path{transport::udp, client_at, server_at});
  CHECK(gate->mappings() == 1);
}

TEST_CASE_FIXTURE(fixture, "hairpin: two hosts of one LAN by their outer addresses") {
  bool hairpin = false;
  SUBCASE("on") {
    hairpin = true;
  }
  SUBCASE("off") {
    hairpin = false;
  }
  build({.rules = {.filtering = dependence::independent, .hairpin = hairpin}});
  auto& second = w.add_host(gate->inside());
  const auto second_at = second.bind(neighbour, second.v4(), 6000);
  w.attach(second, neighbour);
  neighbour.say(second_at, server_at, "open my mapping");
  w.run_for(1s);
  client.say(client_at, server.got.at(0).via.remote, "from inside");
  w.run_for(1s);
  REQUIRE(neighbour.got.size() == (hairpin ? 2 : 1));
  if (hairpin) CHECK(neighbour.got[1].via.remote == endpoint{gate->external()[0], 5000});
}

TEST_CASE_FIXTURE(fixture, "the hop limit falls at every router") {
  // The site's router and the core's one: a limit of 2 dies on the core, 3 arrives.
  build({});
  for (int limit = 1; limit <= 3; ++limit) {
    client.say(client_at, server_at, std::to_string(limit), static_cast<std::uint8_t>(limit));
  }
  w.run_for(1s);
  REQUIRE(server.got.size() == 1);
  CHECK(server.got[0].text == "3");
  CHECK(w.counters().hop_limit == 2);
  CHECK(gate->mappings() == 1);
}

TEST_CASE_FIXTURE(fixture, "an opener that dies on the way still opens the mapping") {
  build({});
  client.say(client_at, server_at, "opener", std::uint8_t{2});
  w.run_for(1s);
  CHECK(server.got.empty());
  server.say(server_at, {gate->external()[0], 5000}, "in");
  w.run_for(1s);
  REQUIRE(client.got.size() == 1);
  CHECK(client.got[0].text == "in");
}

TEST_CASE_FIXTURE(fixture, "a closed port is answered by ICMP, through the NAT") {
  build({});
  client.say(client_at, {server_at.ip, 9}, "anyone?");
  w.run_for(1s);
  REQUIRE(client.failures.size() == 1);
  CHECK(client.failures[0] == path{transport::udp, client_at, {server_at.ip, 9}});
}

TEST_CASE_FIXTURE(fixture, "what a NAT does not want is dropped or rejected") {
  bool rejects = false;
  SUBCASE("dropped") {
    rejects = false;
  }
  SUBCASE("rejected") {
    rejects = true;
  }
  build({.rules = {.unwanted = rejects ? refusal::reject : refusal::drop}});
  server.say(server_at, {gate->external()[0], 5000}, "unasked");
  w.run_for(1s);
  CHECK(client.got.empty());
  CHECK(w.counters().refused == 1);
  CHECK(server.failures.size() == (rejects ? 1 : 0));
}

TEST_CASE_FIXTURE(fixture, "open input: the router answers the early packet itself") {
  build({.rules = {.open_input = true}});
  server.say(server_at, {gate->external()[0], 5000}, "too early");
  w.run_for(1s);
  CHECK(w.counters().taken_in == 1);
  CHECK(server.failures.size() == 1);
  client.say(client_at, server_at, "late");
  w.run_for(1s);
  REQUIRE(server.got.size() == 1);
  CHECK(server.got[0].via.remote.port != 5000);
}

TEST_CASE_FIXTURE(fixture, "nested NATs translate twice") {
  auto& carrier =
      w.add_site(w.internet(), {.rules = {.ports = port_choice::random}, .carrier_grade = true});
  auto& public_host = w.add_host(w.internet());
  server_at = public_host.bind(server, public_host.v4(), 3478);
  w.attach(public_host, server);
  auto& home = w.add_site(carrier.inside(), {});
  auto& pc = w.add_host(home.inside());
  client_at = pc.bind(client, pc.v4(), 5000);
  w.attach(pc, client);
  client.say(client_at, server_at, "hello");
  w.run_for(1s);
  REQUIRE(server.got.size() == 1);
  CHECK(server.got[0].via.remote.ip == carrier.external()[0]);
  CHECK(is_private(home.external()[0]));
  CHECK(client.got.size() == 1);
  CHECK(home.mappings() == 1);
  CHECK(carrier.mappings() == 1);
}

TEST_CASE_FIXTURE(fixture, "IPv6 is not translated but filtered") {
  build({.v4 = false, .v6 = true});
  auto& public_host = w.add_host(w.internet(), {}, false, true);
  probe stranger;
  const auto stranger_at = public_host.bind(stranger, public_host.v6(), 7);
  w.attach(public_host, stranger);
  stranger.say(stranger_at, client_at, "unasked");
  w.run_for(1s);
  CHECK(client.got.empty());
  client.say(client_at, stranger_at, "asked");
  w.run_for(1s);
  REQUIRE(stranger.got.size() == 1);
  CHECK(stranger.got[0].via.remote == client_at);
  stranger.say(stranger_at, client_at, "answer");
  w.run_for(1s);
  CHECK(client.got.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "IPv6 passes every firewall of nested sites") {
  auto& carrier = w.add_site(w.internet(), {.v6 = true, .carrier_grade = true});
  auto& home = w.add_site(carrier.inside(), {.v6 = true});
  auto& pc = w.add_host(home.inside(), {}, false, true);
  auto& public_host = w.add_host(w.internet(), {}, false, true);
  client_at = pc.bind(client, pc.v6(), 5000);
  server_at = public_host.bind(server, public_host.v6(), 3478);
  w.attach(pc, client);
  w.attach(public_host, server);
  client.say(client_at, server_at, "hello");
  w.run_for(1s);
  CHECK(server.got.size() == 1);
  CHECK(client.got.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "a site that blocks UDP lets nothing through either way") {
  build({.rules = {.udp_blocked = true}});
  client.say(client_at, server_at, "out");
  server.say(server_at, {gate->external()[0], 5000}, "in");
  w.run_for(1s);
  CHECK(server.got.empty());
  CHECK(client.got.empty());
}

TEST_CASE_FIXTURE(fixture, "a router that restarts forgets its mappings") {
  build({.rules = {.ports = port_choice::random}});
  client.say(client_at, server_at, "one");
  w.run_for(1s);
  gate->restart();
  CHECK(gate->mappings() == 0);
  server.say(server_at, server.got.at(0).via.remote, "lost");
  client.say(client_at, server_at, "two");
  w.run_for(1s);
  REQUIRE(server.got.size() == 2);
  CHECK(server.got[1].via.remote != server.got[0].via.remote);
  CHECK(client.got.size() == 2);  // the two echoes
}
