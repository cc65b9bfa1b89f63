// Our client and our server, without a network between them, for hours of virtual time.

#include "stun/turn/client.hpp"
#include "tests/stun/turn/server_harness.hpp"

using namespace nat;
using namespace nat::test;

namespace {

struct both_ends : server_harness {
  explicit both_ends(transport proto, turn::server_config server_config = default_config(),
                     const char* client_password = "secret")
      : server_harness(std::move(server_config)),
        outward{proto, *parse_endpoint("203.0.113.5:40000"), server_v4},
        inward{proto, server_v4, outward.local},
        client(config(outward, client_password), client_random, now) {}

  static turn::client_config config(const path& via, const char* client_password) {
    turn::client_config c{.server = via, .username = "quiet-otter", .password = client_password};
    c.wanted = turn::families::both;
    return c;
  }

  // Until neither has anything to say.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      while (const auto out = client.poll_transmit()) {
        busy = true;
        to_server(*out);
      }
      while (const auto e = server.poll_event()) drive(*e);
      while (const auto answer = server.poll_transmit()) {
        busy = true;
        CHECK(answer->via == inward);
        const auto view = stun::message_view::parse(answer->data);
        const auto error = view ? view->get<attr::error_code>() : std::nullopt;
        if (error) errors.push_back(error->code);
        CHECK(client.handle_datagram(outward, answer->data, now).ours);
      }
    }
    while (auto e = client.poll_event()) events.push_back(std::move(*e));
  }

  void to_server(const transmit& out) {
    const std::size_t step = out.segment_size == 0 ? out.data.size() : out.segment_size;
    for (std::size_t at = 0; at < out.data.size(); at += step) {
      const auto one = byte_view(out.data).subspan(at, std::min(step, out.data.size() - at));
      const auto taken = server.handle_client(inward, one, now);
      const auto view = stun::message_view::parse(one);
      if (view && view->type().method == stun::method::binding) continue;
      CHECK(taken.ours);
      const auto* relayed = std::get_if<turn::to_peer>(&taken.out);
      if (relayed == nullptr) continue;
      delivered.emplace_back(relayed->peer, as_text(relayed->data));
      echo(*relayed);
    }
  }

  // The peer sends everything back.
  void echo(const turn::to_peer& out) {
    const auto back = server.handle_peer(out.relay, out.peer, out.data, now);
    const auto* wrapped = std::get_if<turn::to_client>(&back);
    REQUIRE(wrapped != nullptr);
    bytes wire = to_bytes(wrapped->header());
    wire.insert(wire.end(), wrapped->data.begin(), wrapped->data.end());
    wire.resize(wire.size() + wrapped->padding);
    const auto taken = client.handle_datagram(outward, wire, now);
    CHECK(taken.ours);
    REQUIRE(taken.data.has_value());
    returned.emplace_back(taken.data->peer, as_text(taken.data->data));
  }

  // From one deadline of either to the next.
  void pass(duration length) {
    const auto end = now + length;
    for (settle();; settle()) {
      const auto next = earlier(client.next_timeout(), server.next_timeout());
      if (!next || *next > end) break;
      now = std::max(now, *next);
      if (const auto due = client.next_timeout(); due && *due <= now) client.handle_timeout(now);
      if (const auto due = server.next_timeout(); due && *due <= now) server.handle_timeout(now);
    }
    now = end;
    settle();
  }

  template <class Event>
  [[nodiscard]] int count() const {
    int n = 0;
    for (const auto& e : events) n += std::holds_alternative<Event>(e) ? 1 : 0;
    return n;
  }

  path outward, inward;
  seeded_random client_random{11};
  turn::client client;
  std::vector<turn::client_event> events;
  std::vector<int> errors;
  std::vector<std::pair<endpoint, std::string>> delivered, returned;
};

}  // namespace

TEST_CASE("three hours of one allocation, both families, over UDP and over a stream") {
  for (const auto proto : {transport::udp, transport::tcp}) {
    both_ends w(proto);
    w.settle();
    REQUIRE(w.count<turn::allocated>() == 2);
    CHECK(w.errors == std::vector{401});
    CHECK(w.relays.size() == 2);
    REQUIRE(w.client.send(peer_v4, as_bytes("first"), w.now));
    REQUIRE(w.client.send(peer_v6, as_bytes("sixth"), w.now));
    w.settle();
    CHECK(w.delivered.size() == 2);
    w.client.bind_channel(peer_v4, w.now);
    w.settle();
    CHECK(w.client.channel_bound(peer_v4));
    for (int minute = 0; minute < 180; ++minute) {
      w.pass(60s);
      REQUIRE(w.client.send(peer_v4, as_bytes("by channel"), w.now));
      REQUIRE(w.client.send(peer_v6, as_bytes("by indication"), w.now));
      w.settle();
    }
    CHECK(w.delivered.size() == 2 + 360);
    CHECK(w.returned == w.delivered);
    CHECK(w.server.counters().no_permission == 0);
    CHECK(w.events.size() == 2);
    // The nonce lives for an hour: each time, what is under way is sent once more.
    for (std::size_t i = 1; i < w.errors.size(); ++i) CHECK(w.errors[i] == 438);
    CHECK(w.errors.size() > 2);
    CHECK(w.errors.size() < 12);
    w.client.release(w.now);
    w.settle();
    CHECK(w.count<turn::released>() == 1);
    CHECK(w.server.counters().allocations == 0);
    CHECK(w.relays.empty());
  }
}

TEST_CASE("a batch of segments arrives one by one") {
  both_ends w(transport::udp);
  w.client.bind_channel(peer_v4, w.now);
  w.settle();
  REQUIRE(w.client.send(peer_v4, bytes(5 * 1200 + 7, std::byte{'x'}), w.now, 1200));
  w.settle();
  REQUIRE(w.delivered.size() == 6);
  CHECK(w.delivered[5].second == "xxxxxxx");
  CHECK(w.returned == w.delivered);
}

TEST_CASE("a wrong password, a forbidden peer, a quota") {
  both_ends wrong(transport::udp, server_harness::default_config(), "wrong");
  wrong.settle();
  CHECK(wrong.count<turn::refused>() == 1);

  both_ends w(transport::udp);
  w.client.permit(*parse_address("10.0.0.1"), w.now);
  w.client.permit(peer_v4.ip, w.now);
  w.settle();
  CHECK(w.count<turn::permission_refused>() == 1);
  CHECK(w.client.send(peer_v4, as_bytes("x"), w.now));

  auto config = server_harness::default_config();
  config.limits.max_allocations_per_name = 1;
  both_ends full(transport::udp, config);
  REQUIRE(full.allocate(server_harness::from(41000))->success);
  full.settle();
  REQUIRE(full.count<turn::refused>() == 1);
  CHECK(std::get<turn::refused>(full.events[0]).code == 486);
}

TEST_CASE("a crash leaves an allocation behind, and the next run on the port gives it back") {
  both_ends w(transport::udp);
  w.settle();
  REQUIRE(w.count<turn::allocated>() == 2);
  w.client = turn::client(both_ends::config(w.outward, "secret"), w.client_random, w.now);
  w.pass(2s);
  CHECK(w.count<turn::allocated>() == 4);
  CHECK(w.server.counters().allocations == 1);
}
