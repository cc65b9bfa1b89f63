#include "tests/check.hpp"
#include "tests/sim/probe.hpp"
#include "tests/sim/world.hpp"

using namespace nat;
using namespace nat::sim;
using namespace std::chrono_literals;

namespace {

struct fixture {
  world w{3};
  probe client, server{true};
  host* here = nullptr;
  host* there = nullptr;
  endpoint server_at;

  void build(const site& s, const link_rules& link = {}) {
    there = &w.add_host(w.internet(), link);
    server_at = {there->v4(), 443};
    there->listen(server, server_at);
    w.attach(*there, server);
    here = &w.add_host(w.add_site(w.internet(), s).inside());
    w.attach(*here, client);
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "a stream opens through a NAT that blocks UDP, in one round trip") {
  build({.rules = {.udp_blocked = true}}, {.delay = 10ms});
  const auto start = w.now();
  const auto local = here->connect(client, here->v4(), server_at, 9);
  CHECK(w.run_until([&] { return !client.opened.empty(); }, 1s));
  CHECK(w.now() - start == 20ms);
  CHECK(client.opened[0] == path{transport::tcp, local, server_at});
  client.say(client.opened[0], "hello");
  w.run_for(1s);
  REQUIRE(server.got.size() == 1);
  CHECK(client.got.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "messages arrive once and in order whatever the link does") {
  build({}, {.jitter = 30ms, .loss = 0.3, .duplicate = 0.5, .reorder = 0.5});
  here->connect(client, here->v4(), server_at, 1);
  REQUIRE(w.run_until([&] { return !client.opened.empty(); }, 10s));
  for (int i = 0; i < 100; ++i) client.say(client.opened[0], std::to_string(i));
  w.run_for(60s);
  REQUIRE(server.got.size() == 100);
  for (std::size_t i = 0; i < 100; ++i) CHECK(server.got[i].text == std::to_string(i));
}

TEST_CASE_FIXTURE(fixture, "a closed port resets, an end closes") {
  build({});
  here->connect(client, here->v4(), {server_at.ip, 80}, 1);
  w.run_for(1s);
  CHECK(client.closed.size() == 1);
  here->connect(client, here->v4(), server_at, 2);
  w.run_for(1s);
  REQUIRE(client.opened.size() == 1);
  here->disconnect(client.opened[0]);
  w.run_for(1s);
  REQUIRE(server.closed.size() == 1);
  CHECK(server.closed[0] == server.opened.at(0));
}
