#include "tests/sim/relay_node.hpp"

#include "stun/turn/client.hpp"
#include "tests/check.hpp"
#include "tests/sim/probe.hpp"

using namespace nat;
using namespace nat::sim;
using namespace std::chrono_literals;

namespace {

// A TURN client on a simulated host.
struct client_node final : node {
  client_node(world& w, host& h, const endpoint& server, turn::families wanted)
      : world_(w),
        local(h.bind(*this, server.ip.v4 ? h.v4() : h.v6())),
        client({.server = {transport::udp, local, server},
                .username = std::string(relay_node::username),
                .password = std::string(relay_node::password),
                .wanted = wanted},
               w.chance(), w.now()) {
    w.attach(h, *this);
  }
  void handle_datagram(const path& from, byte_view data, time_point now) override {
    const auto taken = client.handle_datagram(from, data, now);
    if (taken.data) got.emplace_back(taken.data->peer, std::string(as_text(taken.data->data)));
  }
  void handle_timeout(time_point now) override { client.handle_timeout(now); }
  std::optional<transmit> poll_transmit() override {
    while (auto e = client.poll_event()) events.push_back(std::move(*e));
    return client.poll_transmit();
  }
  [[nodiscard]] std::optional<time_point> next_timeout() const override {
    return client.next_timeout();
  }
  world& world_;
  endpoint local;
  turn::client client;
  std::vector<turn::client_event> events;
  std::vector<std::pair<endpoint, std::string>> got;
};

struct fixture {
  world w{11};
  host& server_host = w.add_host(w.internet(), {.delay = 5ms}, true, true);
  relay_node server{w, server_host, {}};
  router& gate = w.add_site(
      w.internet(), {.rules = {.mapping = dependence::address_and_port}, .link = {.delay = 10ms}});
  host& inside = w.add_host(gate.inside());
  host& peer_host = w.add_host(w.internet(), {}, true, true);
  probe peer{true};
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "an allocation carries data both ways, then is released") {
  client_node c(w, inside, server.at(), turn::families::v4);
  const auto start = w.now();
  REQUIRE(w.run_until([&] { return c.client.relayed(true).has_value(); }, 5s));
  CHECK(w.now() - start == 60ms);  // a challenge and an allocation, one round trip each
  CHECK(server.counters().allocations == 1);
  CHECK(server.open_relays() == 1);

  const auto peer_at = peer_host.bind(peer, peer_host.v4());
  w.attach(peer_host, peer);
  SUBCASE("by Send and Data indications") {}
  SUBCASE("by a channel") {
    c.client.bind_channel(peer_at, w.now());
    w.run_for(1s);
  }
  REQUIRE(c.client.send(peer_at, as_bytes("hello"), w.now()));
  w.run_for(1s);
  REQUIRE(peer.got.size() == 1);
  CHECK(peer.got[0].via.remote == *c.client.relayed(true));
  REQUIRE(c.got.size() == 1);
  CHECK(c.got[0] == std::pair{peer_at, std::string("hello")});

  c.client.release(w.now());
  w.run_for(1s);
  CHECK(server.counters().allocations == 0);
  CHECK(server.counters().released == 1);
  CHECK(server.open_relays() == 0);
}

TEST_CASE_FIXTURE(fixture, "two clients of one relay reach each other inside it") {
  client_node a(w, inside, server.at(), turn::families::v4);
  client_node b(w, inside, server.at(), turn::families::v4);
  REQUIRE(w.run_until([&] { return a.client.relayed(true) && b.client.relayed(true); }, 5s));
  b.client.permit(a.client.relayed(true)->ip, w.now());
  w.run_for(1s);
  REQUIRE(a.client.send(*b.client.relayed(true), as_bytes("inside"), w.now()));
  w.run_for(1s);
  REQUIRE(b.got.size() == 1);
  CHECK(b.got[0] == std::pair{*a.client.relayed(true), std::string("inside")});
}

TEST_CASE_FIXTURE(fixture, "both families from one request") {
  client_node c(w, inside, server.at(), turn::families::both);
  REQUIRE(w.run_until([&] { return c.client.relayed(true) && c.client.relayed(false); }, 5s));
  CHECK(server.open_relays() == 2);
  const auto peer_at = peer_host.bind(peer, peer_host.v6());
  w.attach(peer_host, peer);
  REQUIRE(c.client.send(peer_at, as_bytes("six"), w.now()));
  w.run_for(1s);
  REQUIRE(peer.got.size() == 1);
  CHECK(peer.got[0].via.remote == *c.client.relayed(false));
  CHECK(c.got.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "an idle client's allocation lives on refreshes, a dead one's expires") {
  {
    client_node c(w, inside, server.at(), turn::families::v4);
    w.run_for(1h);
    CHECK(server.counters().allocations == 1);
    w.detach(c);
    inside.close(c.local);
  }
  w.run_for(1h);
  CHECK(server.counters().allocations == 0);
  CHECK(server.counters().expired == 1);
  CHECK(server.open_relays() == 0);
}
