// Relayed candidates: which socket gets the allocation, streams, payload, loss and release.

#include "tests/ice/gather/gather_world.hpp"

using namespace nat;
using namespace nat::test;
using enum ice::candidate_kind;
using stun::method;

namespace {

const auto lan = *parse_endpoint("192.168.1.5:4000");
const auto wifi = *parse_endpoint("192.168.7.5:4001");
const auto peer = *parse_endpoint("203.0.113.99:9");
constexpr auto server_a = "198.51.100.1:3478";
constexpr auto server_b = "198.51.100.2:3478";

endpoint behind_nat(const endpoint& base, const endpoint&) {
  return {*parse_address("203.0.113.7"), base.port};
}

// One socket behind a NAT, one TURN server, allocated.
struct relayed_world : gather_world {
  explicit relayed_world(ice::gather_config config = {}) : gather_world(config) {
    mapped = behind_nat;
    turn(server_a);
    gatherer.add_socket(lan, 100, now);
    gatherer.add_server(turn_url(server_a), now);
    gatherer.end_of_servers(now);
  }
};

}  // namespace

TEST_CASE("a relayed candidate after two round trips, the reflexive one after one") {
  relayed_world w;
  w.run(1s);
  CHECK(w.found_at(server_reflexive) == 20ms);
  CHECK(w.found_at(relayed) == 40ms);
  CHECK(w.gathered_at() == 40ms);
  const auto c = w.found(relayed).at(0);
  CHECK(c.address == *parse_endpoint("198.51.100.9:50000"));
  CHECK(c.base == c.address);
  CHECK(c.related == behind_nat(lan, {}));
  CHECK(c.priority < (1U << 24));
  CHECK(c.proto == transport::udp);
  CHECK(w.gatherer.is_relayed(c.address));
  CHECK(!w.gatherer.is_relayed(lan));
  CHECK(w.found(server_reflexive).size() == 1);
}

TEST_CASE("both families of one server are two candidates, IPv6 first") {
  gather_world w;
  w.turn(server_a).turn.gives_v6 = true;
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.turn_url(server_a), w.now);
  w.run(1s);
  const auto both = w.found(relayed);
  REQUIRE(both.size() == 2);
  CHECK(both[0].address.ip.v4);
  CHECK(both[1].priority > both[0].priority);
  CHECK(both[0].foundation != both[1].foundation);
  // An IPv4 door leads to no IPv6 peer, though the allocation has an IPv6 door as well.
  const auto peer6 = *parse_endpoint("[2001:db8::77]:9");
  CHECK(!w.gatherer.send(
      {.via = {transport::udp, both[0].address, peer6}, .data = bytes(4), .hop_limit = {}}, w.now));
  CHECK(w.gatherer.send(
      {.via = {transport::udp, both[1].address, peer6}, .data = bytes(4), .hop_limit = {}}, w.now));
}

TEST_CASE("one allocation a server, however many sockets; dead ones cost no time") {
  gather_world w;
  w.mapped = behind_nat;
  auto& server = w.turn(server_a);
  for (std::uint16_t i = 0; i < 3; ++i) {
    const endpoint bridge{make_v4(0xAC110001U + (i << 16)), 4000};
    w.dead.insert(bridge);
    w.gatherer.add_socket(bridge, static_cast<std::uint16_t>(200 + i), w.now);
  }
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_socket(wifi, 90, w.now);
  w.gatherer.add_server(w.turn_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(9s);
  CHECK(w.found_at(relayed) == 40ms);
  CHECK(w.found(relayed).size() == 1);
  CHECK(w.all<ice::server_failed>().empty());
  std::size_t signed_allocates = 0;
  for (const auto& r : server.turn.seen) {
    signed_allocates += r.method == method::allocate && r.is_signed ? 1 : 0;
  }
  CHECK(signed_allocates == 1);
  CHECK(server.turn.seen.size() == 3);  // one unsigned from each live socket
}

TEST_CASE("the socket that was chosen goes silent: the next one is taken") {
  gather_world w;
  auto& server = w.turn(server_a);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_socket(wifi, 90, w.now);
  w.gatherer.add_server(w.turn_url(server_a), w.now);
  w.run(15ms);
  w.dead.insert(lan);
  w.run(10s);
  REQUIRE(w.found(relayed).size() == 1);
  CHECK(server.turn.allocated);
}

TEST_CASE("an interface that goes away takes its allocation along, and another one steps in") {
  relayed_world w;
  w.run(1s);
  const auto base = w.found(relayed).at(0).base;
  SUBCASE("another socket is there") {
    w.gatherer.add_socket(wifi, 90, w.now);
    w.gatherer.remove_socket(lan, w.now);
    w.boxes.begin()->second.turn.relay_v4 = *parse_endpoint("198.51.100.9:50001");
    w.run(1s);
    CHECK(w.found(relayed).size() == 2);
    CHECK(w.gatherer.is_relayed(*parse_endpoint("198.51.100.9:50001")));
  }
  SUBCASE("it comes later") {
    w.gatherer.remove_socket(lan, w.now);
    w.run(1s);
    CHECK(w.all<ice::server_failed>().size() == 1);
    w.gatherer.add_socket(wifi, 90, w.now);
    w.run(1s);
    CHECK(w.found(relayed).size() == 2);
  }
  REQUIRE(w.all<ice::lost>().size() == 1);
  CHECK(w.all<ice::lost>()[0].base == base);
}

TEST_CASE("an allocation that the server forgets is asked for again, not for ever") {
  relayed_world w;
  w.run(1s);
  auto& server = w.boxes.begin()->second.turn;
  std::size_t times = 0;
  for (; times < 10 && w.gatherer.is_relayed(server.relay_v4); ++times) {
    server.allocated = false;
    w.run(600s);
  }
  CHECK(times == 4);
  CHECK(w.all<ice::lost>().size() == 4);
  REQUIRE(w.all<ice::server_failed>().size() == 1);
  CHECK(w.all<ice::server_failed>()[0].code == 437);
}

TEST_CASE("what the server says about the user it is asked once, and reported once") {
  gather_world w;
  auto& server = w.turn(server_a);
  server.turn.errors[method::allocate] = {486};
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_socket(wifi, 90, w.now);
  w.gatherer.add_server(w.turn_url(server_a), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(9s);
  REQUIRE(w.all<ice::server_failed>().size() == 1);
  CHECK(w.all<ice::server_failed>()[0].code == 486);
  CHECK(w.gathered_at() == 40ms);
  CHECK(w.found(relayed).empty());
  CHECK(w.found(server_reflexive).empty());
}

TEST_CASE("a silent TURN server is given up within nine seconds; a wrong password at once") {
  gather_world w;
  w.turn(server_a).silent = true;
  w.turn(server_b).turn.password = "other";
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.turn_url(server_a), w.now);
  w.gatherer.add_server(w.turn_url(server_b), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(9s);
  const auto failures = w.all<ice::server_failed>();
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].code == 401);
  CHECK(failures[1].code == 0);
  CHECK(*w.gathered_at() < 8500ms);
}

TEST_CASE("300 leads to the other server, with the same credentials, bounded") {
  gather_world w;
  auto& first = w.turn(server_a);
  auto& second = w.turn(server_b, "198.51.100.10:1234");
  w.gatherer.add_socket(lan, 100, w.now);
  SUBCASE("followed") {
    first.turn.alternate = *parse_endpoint(server_b);
    w.gatherer.add_server(w.turn_url(server_a), w.now);
    w.run(1s);
    REQUIRE(w.found(relayed).size() == 1);
    CHECK(w.found(relayed)[0].address == second.turn.relay_v4);
  }
  SUBCASE("in circles") {
    first.turn.alternate = *parse_endpoint(server_b);
    second.turn.alternate = *parse_endpoint(server_a);
    w.gatherer.add_server(w.turn_url(server_a), w.now);
    w.run(60s);
    REQUIRE(w.all<ice::server_failed>().size() == 1);
    CHECK(w.all<ice::server_failed>()[0].code == 300);
  }
  SUBCASE("into a place of ours") {
    first.turn.alternate = *parse_endpoint("192.168.1.1:80");
    w.gatherer.add_server(w.turn_url(server_a), w.now);
    w.run(60s);
    CHECK(w.all<ice::server_failed>().size() == 1);
    CHECK(w.to_strangers.empty());
  }
}

TEST_CASE("payload both ways, wrapped and unwrapped, by channel when bound") {
  relayed_world w;
  w.run(1s);
  auto& server = w.boxes.begin()->second.turn;
  const path via{transport::udp, server.relay_v4, peer};
  REQUIRE(
      w.gatherer.send({.via = via, .data = to_bytes(as_bytes("ping")), .hop_limit = {}}, w.now));
  w.run(100ms);
  REQUIRE(server.delivered.size() == 1);
  CHECK(server.delivered[0].peer == peer);
  w.gatherer.bind_channel(via, w.now);
  w.run(100ms);
  bytes batch(2500, std::byte{1});
  REQUIRE(
      w.gatherer.send({.via = via, .data = batch, .segment_size = 1000, .hop_limit = {}}, w.now));
  w.run(100ms);
  REQUIRE(server.delivered.size() == 4);
  CHECK(server.delivered[3].by_channel);
  CHECK(server.delivered[3].data.size() == 500);

  w.post_to_client({transport::udp, lan, *parse_endpoint(server_a)},
                   *server.from_peer(peer, "pong", w.now), 10ms);
  w.run(100ms);
  REQUIRE(w.arrived.size() == 1);
  CHECK(w.arrived[0].first == via);
  CHECK(w.arrived[0].second == "pong");
}

TEST_CASE("an opener that must not arrive is not sent through a relay, where it would") {
  relayed_world w;
  w.run(1s);
  const path via{transport::udp, w.found(relayed).at(0).address, peer};
  CHECK(!w.gatherer.send(
      {.via = via, .data = to_bytes(as_bytes("x")), .hop_limit = std::uint8_t{2}}, w.now));
}

TEST_CASE("a relay on the internet is never asked for peers that it can't reach") {
  relayed_world w;
  for (const auto* inside : {"10.0.0.1", "192.168.1.77", "127.0.0.1", "169.254.3.3", "fe80::1"}) {
    w.gatherer.permit(*parse_address(inside), w.now);
  }
  w.gatherer.permit(peer.ip, w.now);
  w.run(1s);
  auto& server = w.boxes.begin()->second.turn;
  const auto base = server.relay_v4;
  const auto inside = *parse_endpoint("192.168.1.77:9");
  CHECK(!w.gatherer.send({.via = {transport::udp, base, inside}, .data = bytes(4), .hop_limit = {}},
                         w.now));
  w.gatherer.bind_channel({transport::udp, base, inside}, w.now);
  w.run(1s);
  CHECK(server.permissions.size() == 1);
  CHECK(server.permissions.contains(peer.ip));
  CHECK(server.channels.empty());
  CHECK(w.gatherer.may_relay(base, peer.ip));
  CHECK(!w.gatherer.may_relay(base, inside.ip));
  CHECK(!w.gatherer.may_relay(base, *parse_address("2001:db8::1")));
  CHECK(!w.gatherer.may_relay(lan, peer.ip));
}

TEST_CASE("a relay in a private network is asked for its neighbours") {
  gather_world w;
  auto& server = w.turn("192.168.1.2:3478", "192.168.1.2:50000");
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.turn_url("192.168.1.2:3478"), w.now);
  w.gatherer.permit(*parse_address("192.168.1.77"), w.now);
  w.run(1s);
  CHECK(server.turn.permissions.size() == 1);
}

TEST_CASE("permissions wanted before the allocation stands are asked for with it, bounded") {
  ice::gather_config config;
  config.max_permitted = 3;
  relayed_world w(config);
  for (unsigned n = 1; n <= 5; ++n) w.gatherer.permit(make_v4(0xCB007100U + n), w.now);
  w.gatherer.add_server(w.turn_url(server_b), w.now);
  w.turn(server_b, "198.51.100.10:1");
  w.run(1s);
  CHECK(w.boxes.at(*parse_endpoint(server_b)).turn.permissions.size() == 3);
}

TEST_CASE("policy relay reports nothing else and asks no STUN server") {
  ice::gather_config config;
  config.relay_only = true;
  relayed_world w(config);
  w.stun(server_b);
  w.gatherer.add_server(w.stun_url(server_b), w.now);
  w.run(1s);
  REQUIRE(w.all<ice::found>().size() == 1);
  CHECK(w.found(relayed)[0].related == *parse_endpoint("0.0.0.0:9"));
  CHECK(w.stun(server_b).heard_from.empty());
  CHECK(w.gathered_at());
}

TEST_CASE("policy direct never touches a relay") {
  ice::gather_config config;
  config.no_relay = true;
  relayed_world w(config);
  w.run(1s);
  CHECK(w.sent == 0);
  CHECK(w.gathered_at() == 0ms);
}

TEST_CASE("released: every allocation is given back") {
  relayed_world w;
  w.turn(server_b, "198.51.100.10:1");
  w.gatherer.add_server(w.turn_url(server_b), w.now);
  w.run(1s);
  REQUIRE(w.found(relayed).size() == 2);
  CHECK(!w.gatherer.released());
  w.gatherer.release(w.now);
  CHECK(!w.gatherer.released());
  w.run(100ms);
  CHECK(w.gatherer.released());
  for (auto& [at, box] : w.boxes) CHECK(!box.turn.allocated);
  CHECK(!w.gatherer.next_timeout());
  CHECK(!w.gatherer.is_relayed(w.found(relayed)[0].address));
}

TEST_CASE("released in the middle of everything, at any moment, nothing stays behind") {
  for (auto at = 0ms; at < 100ms; at += 5ms) {
    CAPTURE(at.count());
    relayed_world w;
    w.gatherer.add_socket(wifi, 90, w.now);
    w.run(at);
    w.gatherer.release(w.now);
    w.run(3s);
    CHECK(w.gatherer.released());
    CHECK(!w.boxes.begin()->second.turn.allocated);
    CHECK(!w.gatherer.next_timeout());
  }
}

TEST_CASE("TURN over TCP and TLS: asked when UDP does not answer, not otherwise") {
  gather_world w;
  auto& server = w.turn(server_a);
  w.gatherer.add_socket(lan, 100, w.now);
  w.gatherer.add_server(w.turn_url(server_a), w.now);
  w.gatherer.add_server(w.turn_url(server_a, transport::tcp), w.now);
  w.gatherer.add_server(w.turn_url(server_a, transport::tcp, true), w.now);
  w.gatherer.end_of_servers(w.now);
  const auto streams = [&] { return w.all<ice::open_stream>(); };
  SUBCASE("UDP answers") {
    w.run(9s);
    CHECK(streams().empty());
    CHECK(w.gathered_at() == 40ms);
  }
  SUBCASE("UDP is silent") {
    server.silent = true;
    w.run(299ms);
    CHECK(streams().empty());
    w.run(1ms);
    REQUIRE(streams().size() == 2);
    CHECK(streams()[0].remote == *parse_endpoint(server_a));
    CHECK(!streams()[0].tls);
    CHECK(streams()[1].tls);
    CHECK(streams()[1].host == "turn.example.org");
    CHECK(streams()[0].id != streams()[1].id);
    server.silent = false;
    const path connection{transport::tcp, *parse_endpoint("192.168.1.5:33333"),
                          *parse_endpoint(server_a)};
    w.gatherer.stream_opened(streams()[0].id, connection, w.now);
    w.gatherer.stream_closed(streams()[1].id, "certificate does not match", w.now);
    w.run(100ms);
    REQUIRE(w.all<ice::server_failed>().size() == 1);
    CHECK(w.all<ice::server_failed>()[0].reason == "certificate does not match");
    CHECK(w.all<ice::server_failed>()[0].code == -1);
    REQUIRE(!w.found(relayed).empty());
    w.run(10s);
    w.gatherer.release(w.now);
    w.run(3s);
    CHECK(w.gatherer.released());
    REQUIRE(w.all<ice::close_stream>().size() == 1);
    CHECK(w.all<ice::close_stream>()[0].via == connection);
  }
  SUBCASE("UDP is refused by the kernel") {
    w.run(1ms);
    w.gatherer.handle_send_failure({transport::udp, lan, *parse_endpoint(server_a)}, w.now);
    w.run(1ms);
    CHECK(streams().size() == 2);
  }
}

TEST_CASE("with streams only, they are asked as soon as the list is complete") {
  gather_world w;
  w.turn(server_a);
  w.gatherer.add_server(w.turn_url(server_a, transport::tcp), w.now);
  w.gatherer.end_of_servers(w.now);
  w.run(0ms);
  REQUIRE(w.all<ice::open_stream>().size() == 1);
  const auto id = w.all<ice::open_stream>()[0].id;
  SUBCASE("it never opens") {
    w.run(9s);
    REQUIRE(w.all<ice::server_failed>().size() == 1);
    CHECK(w.all<ice::server_failed>()[0].code == 0);
    CHECK(w.gathered_at() == 8s);
    const path late{transport::tcp, lan, *parse_endpoint(server_a)};
    w.gatherer.stream_opened(id, late, w.now);
    w.run(1ms);
    CHECK(w.all<ice::close_stream>().size() == 1);
  }
  SUBCASE("it opens, works, and closes: opened again") {
    const path connection{transport::tcp, lan, *parse_endpoint(server_a)};
    w.gatherer.stream_opened(id, connection, w.now);
    w.run(100ms);
    REQUIRE(w.found(relayed).size() == 1);
    w.gatherer.stream_closed(id, "reset by peer", w.now);
    w.run(1ms);
    CHECK(w.all<ice::lost>().size() == 1);
    REQUIRE(w.all<ice::open_stream>().size() == 2);
    CHECK(w.all<ice::open_stream>()[1].id != id);
    CHECK(w.all<ice::close_stream>().empty());
    w.gatherer.stream_opened(w.all<ice::open_stream>()[1].id, connection, w.now);
    w.run(100ms);
    CHECK(w.found(relayed).size() == 2);
  }
  SUBCASE("released while it opens") {
    w.gatherer.release(w.now);
    CHECK(w.gatherer.released());
    w.gatherer.stream_opened(id, {transport::tcp, lan, *parse_endpoint(server_a)}, w.now);
    w.run(1s);
    CHECK(w.all<ice::close_stream>().size() == 1);
    CHECK(!w.gatherer.next_timeout());
  }
  SUBCASE("ids nobody gave out") {
    w.gatherer.stream_closed(0, "", w.now);
    w.gatherer.stream_closed(77, "", w.now);
    w.run(1ms);
    CHECK(w.all<ice::server_failed>().empty());
  }
}

TEST_CASE("any one packet may be lost on the way to a relayed candidate") {
  for (int lost = 0; lost < 8; ++lost) {
    CAPTURE(lost);
    relayed_world w;
    int number = 0;
    w.lose = [&](const transmit&) { return number++ == lost; };
    w.run(1s);
    CHECK(w.found(relayed).size() == 1);
    CHECK(w.found(server_reflexive).size() == 1);
  }
}
