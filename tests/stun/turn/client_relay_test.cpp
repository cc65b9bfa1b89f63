// Payload through the relay, both ways, and what must not come through.

#include "tests/stun/turn/turn_world.hpp"

using namespace nat;
using namespace nat::test;

namespace {

const endpoint peer = *parse_endpoint("192.0.2.5:4000");

std::vector<transmit> drain(turn::client& c) {
  std::vector<transmit> out;
  while (auto t = c.poll_transmit()) out.push_back(std::move(*t));
  return out;
}

}  // namespace

TEST_CASE("data for a peer without a permission goes out right behind the request") {
  turn_world w;
  CHECK(!w.client.send(peer, as_bytes("too early"), w.now));
  w.run(1s);
  const auto before = w.now;
  REQUIRE(w.client.send(peer, as_bytes("first"), w.now));
  w.run(10ms);
  REQUIRE(w.server.delivered.size() == 1);
  CHECK(w.server.delivered[0].peer == peer);
  CHECK(as_text(w.server.delivered[0].data) == "first");
  CHECK(w.now - before == 10ms);  // one way: no round trip was waited for
  CHECK(w.server.dropped == 0);
  w.run(1s);
  CHECK(w.server.delivered.size() == 1);  // and not again
}

TEST_CASE("where the request had to be repeated, so is the data") {
  turn_world w;
  w.run(1s);
  SUBCASE("request lost") {
    const auto first = w.packets;
    w.lose = [first](int number, bool) { return number == first; };
  }
  SUBCASE("stale nonce") {
    w.server.nonce = "nonce-2";
  }
  for (const auto* text : {"one", "two", "three"}) {
    REQUIRE(w.client.send(peer, as_bytes(text), w.now));
  }
  w.run(1s);
  CHECK(w.server.dropped == 3);
  REQUIRE(w.server.delivered.size() == 2);  // what is kept is bounded
  CHECK(as_text(w.server.delivered[0].data) == "one");
  CHECK(as_text(w.server.delivered[1].data) == "two");
}

TEST_CASE("Send indications until the channel stands, ChannelData from then on") {
  turn_world w;
  w.run(1s);
  w.client.bind_channel(peer, w.now);
  REQUIRE(w.client.send(peer, as_bytes("a"), w.now));
  w.run(100ms);
  CHECK(w.client.channel_bound(peer));
  REQUIRE(w.client.send(peer, as_bytes("b"), w.now));
  w.run(100ms);
  REQUIRE(w.server.delivered.size() == 2);
  CHECK(!w.server.delivered[0].by_channel);
  CHECK(w.server.delivered[1].by_channel);
  CHECK(!w.client.channel_bound({peer.ip, 1}));
}

TEST_CASE(
    "from the peer: Data indications, ChannelData, also before the channel's answer is here") {
  turn_world w;
  w.client.permit(peer.ip, w.now);
  w.run(1s);
  w.post_to_client(*w.server.from_peer(peer, "by indication", w.now));
  w.run(1s);
  w.client.bind_channel(peer, w.now);
  w.run(10ms);  // the server has bound it, the answer is on its way
  w.lose = [](int, bool to_server) { return !to_server; };
  CHECK(!w.client.channel_bound(peer));
  w.post_to_client(*w.server.from_peer(peer, "by channel", w.now));
  w.run(9ms);
  w.run(20ms);
  REQUIRE(w.arrived.size() == 2);
  CHECK(w.arrived[0].data == "by indication");
  CHECK(w.arrived[1].data == "by channel");
  for (const auto& a : w.arrived) {
    CHECK(a.peer == peer);
    CHECK(a.relayed == w.server.relay_v4);
  }
}

TEST_CASE("both families through one allocation") {
  auto config = turn_world::config();
  config.wanted = turn::families::both;
  turn_world w(config);
  const auto peer6 = *parse_endpoint("[2001:db8::5]:4000");
  w.run(1s);
  REQUIRE(w.client.send(peer, as_bytes("4"), w.now));
  REQUIRE(w.client.send(peer6, as_bytes("6"), w.now));
  w.run(100ms);
  CHECK(w.server.delivered.size() == 2);
  w.post_to_client(*w.server.from_peer(peer6, "back", w.now));
  w.run(100ms);
  REQUIRE(w.arrived.size() == 1);
  CHECK(w.arrived[0].relayed == w.server.relay_v6);
}

TEST_CASE("on a stream all output is padded to four") {
  turn_world w(turn_world::config(transport::tcp));
  w.client.bind_channel(peer, w.now);
  w.run(1s);
  REQUIRE(w.client.send(peer, as_bytes("12345"), w.now));
  auto out = drain(w.client);
  REQUIRE(out.size() == 1);
  CHECK(out[0].data.size() == 12);
  std::array<std::byte, 100> room;
  CHECK(w.client.wrap(peer, as_bytes("1"), room, w.now)->size() == 8);
}

TEST_CASE("a batch stays a batch") {
  turn_world w;
  w.client.permit(peer.ip, w.now);
  w.run(1s);
  bytes data(3 * 1000 + 10, std::byte{7});
  std::size_t grown = 1000 + 20 + 12 + 4;  // Send indication: header, XOR-PEER-ADDRESS, DATA
  SUBCASE("by indications") {}
  SUBCASE("by channel") {
    w.client.bind_channel(peer, w.now);
    w.run(1s);
    grown = 1004;
  }
  REQUIRE(w.client.send(peer, data, w.now, 1000));
  auto out = drain(w.client);
  REQUIRE(out.size() == 1);
  CHECK(out[0].segment_size == grown);
  CHECK(out[0].data.size() > 3 * grown);
  CHECK(out[0].data.size() < 4 * grown);
  for (std::size_t at = 0; at < out[0].data.size(); at += grown) {
    const auto one = byte_view(out[0].data).subspan(at);
    w.server.handle(one.first(std::min(grown, one.size())), w.now);
  }
  REQUIRE(w.server.delivered.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(w.server.delivered[i].data == bytes(i < 3 ? 1000 : 10, std::byte{7}));
  }
}

TEST_CASE("a large batch is cut to what the kernel takes in one call") {
  turn_world w;
  w.client.bind_channel(peer, w.now);
  w.run(1s);
  SUBCASE("by size") {
    REQUIRE(w.client.send(peer, bytes(65'000), w.now, 1200));
    const auto out = drain(w.client);
    REQUIRE(out.size() == 2);
    CHECK(out[0].data.size() <= 65'507);
    CHECK(out[0].data.size() % 1204 == 0);
    CHECK(out[0].data.size() + out[1].data.size() == 65'000 + 55 * 4);
  }
  SUBCASE("by number") {
    REQUIRE(w.client.send(peer, bytes(6500), w.now, 65));
    const auto out = drain(w.client);
    REQUIRE(out.size() == 2);
    CHECK(out[0].data.size() == 64 * 69);
    CHECK(out[1].data.size() == 36 * 69);
  }
  SUBCASE("a single segment is no batch") {
    REQUIRE(w.client.send(peer, bytes(100), w.now, 1200));
    const auto out = drain(w.client);
    REQUIRE(out.size() == 1);
    CHECK(out[0].segment_size == 0);
  }
}

TEST_CASE("wrap writes what send would queue") {
  turn_world w;
  w.run(1s);
  std::array<std::byte, 200> room;
  const auto data = as_bytes("payload");
  const auto indication = w.client.wrap(peer, data, room, w.now);
  REQUIRE(indication);
  CHECK(indication->size() <= data.size() + turn::client::overhead);
  const auto request = drain(w.client);
  REQUIRE(request.size() == 1);
  w.server.handle(request[0].data, w.now);
  w.server.handle(*indication, w.now);
  REQUIRE(w.server.delivered.size() == 1);
  CHECK(as_text(w.server.delivered[0].data) == "payload");
  CHECK(!w.client.wrap(peer, data, byte_span(room).first(10), w.now));
  CHECK(!w.client.wrap(*parse_endpoint("[2001:db8::5]:1"), data, room, w.now));
}

TEST_CASE("the longest wrapping is within the promised overhead") {
  auto config = turn_world::config();
  config.wanted = turn::families::v6;
  config.dont_fragment = true;
  turn_world w(config);
  w.run(1s);
  for (std::size_t size = 1; size < 9; ++size) {
    bytes room(size + turn::client::overhead);
    CHECK(w.client.wrap(*parse_endpoint("[2001:db8::5]:1"), bytes(size), room, w.now));
  }
}

TEST_CASE("the outbox is bounded for data, never for requests") {
  auto config = turn_world::config();
  config.max_outbox = 10;
  turn_world w(config);
  w.client.permit(peer.ip, w.now);
  w.run(1s);
  int taken = 0;
  while (taken < 100 && w.client.send(peer, as_bytes("x"), w.now)) ++taken;
  CHECK(taken == 10);
  w.client.permit(*parse_address("192.0.2.6"), w.now);
  w.run(1s);
  CHECK(w.server.permissions.size() == 2);
  CHECK(w.client.send(peer, as_bytes("x"), w.now));
}

TEST_CASE("what no datagram can hold is refused") {
  turn_world w;
  w.client.permit(peer.ip, w.now);
  w.run(1s);
  CHECK(!w.client.send(peer, bytes(65'001), w.now));
  CHECK(!w.client.send(peer, {}, w.now));
  CHECK(w.client.send(peer, bytes(65'000), w.now));
}

TEST_CASE("only the server's own address counts, only TURN's methods are ours") {
  turn_world w;
  w.client.permit(peer.ip, w.now);
  w.run(1s);
  const auto data = scripted_server::data_indication(peer, "x");
  auto from = w.via;
  CHECK(w.client.handle_datagram(from, data, w.now).data.has_value());
  from.remote.port = 1;
  CHECK(!w.client.handle_datagram(from, data, w.now).ours);
  from = w.via;
  from.local.port = 1;
  CHECK(!w.client.handle_datagram(from, data, w.now).ours);
  from = w.via;
  from.proto = transport::tcp;
  CHECK(!w.client.handle_datagram(from, data, w.now).ours);

  std::array<std::byte, 64> buffer;
  stun::message_writer out(buffer, stun::binding_success, {});
  CHECK(!w.client.handle_datagram(w.via, *out.finish(), w.now).ours);
  CHECK(!w.client.handle_datagram(w.via, from_hex("16fefd00"), w.now).ours);
  CHECK(!w.client.handle_datagram(w.via, {}, w.now).ours);
}

TEST_CASE("payload from peers that were not let in, on unknown channels, or cut short is dropped") {
  turn_world w;
  w.client.permit(peer.ip, w.now);
  w.run(1s);
  const auto put = [&](byte_view wire) {
    const auto taken = w.client.handle_datagram(w.via, wire, w.now);
    CHECK(taken.ours);
    return taken.data.has_value();
  };
  CHECK(!put(scripted_server::data_indication(*parse_endpoint("192.0.2.99:1"), "x")));
  CHECK(!put(scripted_server::data_indication(*parse_endpoint("[2001:db8::1]:1"), "x")));
  CHECK(w.client.counters().unexpected == 2);
  CHECK(!put(from_hex("4000 0001 aa000000")));
  CHECK(w.client.counters().unexpected == 3);
  CHECK(!put(from_hex("4000 0005 aa000000")));
  CHECK(!put(from_hex("40")));
  CHECK(w.client.counters().malformed == 2);
  // Without DATA, as an ICMP report comes (RFC 8656, 11.5).
  std::array<std::byte, 64> buffer;
  stun::message_writer out(buffer, {stun::method::data, stun::kind::indication}, {});
  CHECK(!put(*out.put<stun::attr::xor_peer_address>(peer).finish()));
  CHECK(w.client.counters().malformed == 3);
  // An empty payload is a payload.
  CHECK(put(scripted_server::data_indication(peer, "")));
}

TEST_CASE("answers cut anywhere, altered anywhere or made up change nothing") {
  turn_world w;
  w.lose = [](int, bool) { return false; };
  const auto requests = drain(w.client);
  REQUIRE(requests.size() == 1);
  const auto challenge = w.server.handle(requests[0].data, w.now);
  w.client.handle_datagram(w.via, *challenge, w.now);
  const auto signed_request = drain(w.client);
  REQUIRE(signed_request.size() == 1);
  const auto success = *w.server.handle(signed_request[0].data, w.now);
  for (std::size_t cut = 0; cut < success.size(); ++cut) {
    w.client.handle_datagram(w.via, byte_view(success).first(cut), w.now);
  }
  constexpr std::size_t fingerprint = 8;  // signs nothing, so it is no loss if it changes
  for (std::size_t i = 0; i + fingerprint < success.size(); ++i) {
    auto altered = success;
    altered[i] ^= std::byte{1};
    w.client.handle_datagram(w.via, altered, w.now);
  }
  CHECK(!w.client.poll_event());
  CHECK(!w.client.relayed(true));
  CHECK(drain(w.client).empty());
  CHECK(w.client.handle_datagram(w.via, success, w.now).ours);
  CHECK(w.client.relayed(true) == w.server.relay_v4);
  (void)w.client.poll_event();
  // Again: the transaction is over.
  CHECK(w.client.handle_datagram(w.via, success, w.now).ours);
  CHECK(!w.client.poll_event());
}
