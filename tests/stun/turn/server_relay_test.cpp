// Data, permissions and channels.

#include "protocol/base/big_endian.hpp"
#include "tests/stun/turn/server_harness.hpp"

using namespace nat;
using namespace nat::test;

namespace {

const path client = server_harness::from(5000);

bytes channel_message(std::uint16_t number, std::string_view text) {
  bytes out(4);
  store_be(byte_span(out), 0, number);
  store_be(byte_span(out), 2, static_cast<std::uint16_t>(text.size()));
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

bytes whole(const turn::to_client& t) {
  auto out = to_bytes(t.header());
  out.insert(out.end(), t.data.begin(), t.data.end());
  out.resize(out.size() + t.padding);
  return out;
}

bool is_nothing(const turn::forward& f) {
  return std::holds_alternative<std::monostate>(f);
}

struct fixture : server_harness {
  fixture() {
    allocate(client);
    relay = relays.begin()->first;
  }
  turn::relay_id relay;
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "Send needs a permission, which is for an address and any port of it") {
  CHECK(is_nothing(send(client, peer_v4, "x")));
  CHECK(server.counters().no_permission == 1);
  REQUIRE(permit(client, peer_v4)->success);
  const auto out = send(client, {peer_v4.ip, 1}, "hello", true);
  REQUIRE(std::holds_alternative<turn::to_peer>(out));
  const auto& to = std::get<turn::to_peer>(out);
  CHECK(to.relay == relay);
  CHECK(to.peer == endpoint{peer_v4.ip, 1});
  CHECK(as_text(to.data) == "hello");
  CHECK(to.dont_fragment);
  CHECK_FALSE(std::get<turn::to_peer>(send(client, peer_v4, "x")).dont_fragment);
  CHECK(is_nothing(send(client, {*parse_address("192.0.2.78"), 7000}, "x")));
  CHECK(is_nothing(send(client, {peer_v4.ip, 0}, "x")));
}

TEST_CASE_FIXTURE(fixture, "a permission lasts five minutes, either way") {
  REQUIRE(permit(client, peer_v4)->success);
  now += 299s;
  CHECK_FALSE(is_nothing(send(client, peer_v4, "x")));
  CHECK_FALSE(is_nothing(server.handle_peer(relay, peer_v4, as_bytes("y"), now)));
  now += 1s;
  CHECK(is_nothing(send(client, peer_v4, "x")));
  CHECK(is_nothing(server.handle_peer(relay, peer_v4, as_bytes("y"), now)));
  REQUIRE(permit(client, peer_v4)->success);
  CHECK_FALSE(is_nothing(send(client, peer_v4, "x")));
}

TEST_CASE_FIXTURE(fixture, "what a peer sends comes as a Data indication that parses") {
  REQUIRE(permit(client, peer_v4)->success);
  for (const std::string text : {"", "a", "abc", "abcd", "abcde"}) {
    const auto out = server.handle_peer(relay, peer_v4, as_bytes(text), now);
    REQUIRE(std::holds_alternative<turn::to_client>(out));
    const auto& to = std::get<turn::to_client>(out);
    CHECK(to.via == client);
    const auto wire = whole(to);
    const auto m = stun::message_view::parse(wire);
    REQUIRE(m.has_value());
    CHECK(m->type() == stun::message_type{method::data, stun::kind::indication});
    CHECK(m->get<attr::xor_peer_address>() == peer_v4);
    CHECK(as_text(*m->get<attr::data>()) == text);
  }
}

TEST_CASE_FIXTURE(server_harness, "a Data indication from an IPv6 peer") {
  REQUIRE(allocate(client, [](auto& w) {
            w.template put<attr::requested_address_family>(2);
          })->success);
  REQUIRE(permit(client, peer_v6)->success);
  const auto out = server.handle_peer(relays.begin()->first, peer_v6, as_bytes("six"), now);
  const auto wire = whole(std::get<turn::to_client>(out));
  const auto m = stun::message_view::parse(wire);
  REQUIRE(m.has_value());
  CHECK(m->get<attr::xor_peer_address>() == peer_v6);
}

TEST_CASE_FIXTURE(fixture, "a channel carries data both ways, for ten minutes") {
  REQUIRE(bind(client, 0x4000, peer_v4)->success);
  const auto message = channel_message(0x4000, "hello");
  const auto out = server.handle_client(client, message, now);
  CHECK(out.ours);
  REQUIRE(std::holds_alternative<turn::to_peer>(out.out));
  CHECK(std::get<turn::to_peer>(out.out).peer == peer_v4);
  CHECK(as_text(std::get<turn::to_peer>(out.out).data) == "hello");

  const auto back = server.handle_peer(relay, peer_v4, as_bytes("hello"), now);
  CHECK(whole(std::get<turn::to_client>(back)) == message);
  // The same host's other port has the permission but no channel.
  const auto other = server.handle_peer(relay, {peer_v4.ip, 9}, as_bytes("x"), now);
  CHECK(std::get<turn::to_client>(other).header_size > 4);

  now += 599s;
  CHECK_FALSE(is_nothing(server.handle_client(client, message, now).out));
  refresh(client, 600);
  now += 2s;
  CHECK(is_nothing(server.handle_client(client, message, now).out));
}

TEST_CASE_FIXTURE(server_harness, "over TCP ChannelData is padded to four") {
  const auto tcp = from(5000, "203.0.113.5", transport::tcp);
  REQUIRE(allocate(tcp)->success);
  REQUIRE(bind(tcp, 0x4000, peer_v4)->success);
  const auto back = server.handle_peer(relays.begin()->first, peer_v4, as_bytes("hello"), now);
  CHECK(whole(std::get<turn::to_client>(back)).size() == 12);
  auto padded = channel_message(0x4000, "hello");
  padded.resize(12);
  const auto out = server.handle_client(tcp, padded, now);
  CHECK(as_text(std::get<turn::to_peer>(out.out).data) == "hello");
}

TEST_CASE_FIXTURE(fixture, "a channel has one peer and a peer one channel") {
  REQUIRE(bind(client, 0x4000, peer_v4)->success);
  CHECK(bind(client, 0x4000, peer_v4)->success);  // renewed
  CHECK(bind(client, 0x4001, peer_v4)->code == 400);
  CHECK(bind(client, 0x4000, {peer_v4.ip, 9})->code == 400);
  CHECK(bind(client, 0x4001, {peer_v4.ip, 9})->success);
  for (const std::uint16_t number :
       {std::uint16_t{0}, std::uint16_t{0x3fff}, std::uint16_t{0x8000}, std::uint16_t{0xffff}}) {
    CHECK(bind(client, number, {peer_v4.ip, 10})->code == 400);
  }
  // Free again once it has expired.
  now += 301s;
  refresh(client, 3600);
  now += 300s;
  CHECK(bind(client, 0x4002, peer_v4)->success);
}

TEST_CASE("permissions and channels are bounded") {
  auto c = server_harness::default_config();
  c.max_permissions = 3;
  c.max_channels = 2;
  server_harness h(c);
  REQUIRE(h.allocate(client)->success);
  const auto host = [](unsigned i) { return endpoint{make_v4(0xc0000200 + i), 7000}; };
  CHECK(h.bind(client, 0x4000, host(1))->success);
  CHECK(h.bind(client, 0x4001, host(2))->success);
  CHECK(h.bind(client, 0x4002, host(3))->code == 508);
  CHECK(h.permit(client, host(3))->success);
  CHECK(h.permit(client, host(4))->code == 508);
  CHECK(h.permit(client, host(1))->success);
  h.now += 301s;
  CHECK(h.permit(client, host(4))->success);
  // Three at once, with one there: none of them, rather than two.
  const auto several = h.ask(client, method::create_permission, [&](stun::message_writer& w) {
    for (unsigned i = 5; i < 8; ++i) w.put<attr::xor_peer_address>(host(i));
  });
  CHECK(several->code == 508);
  CHECK(is_nothing(h.send(client, host(5), "too many")));
  CHECK(h.permit(client, host(5))->success);
}

TEST_CASE_FIXTURE(fixture, "bytes that are not for us, or broken, change nothing") {
  REQUIRE(bind(client, 0x4000, peer_v4)->success);
  const auto before = server.counters();
  const auto hand_in = [&](const bytes& b) { return server.handle_client(client, b, now); };
  CHECK_FALSE(hand_in({}).ours);
  CHECK_FALSE(hand_in(from_hex("16fefd")).ours);                                       // DTLS
  CHECK_FALSE(hand_in(from_hex("0001 0000 2112a442 000000000000000000000000")).ours);  // Binding
  CHECK(is_nothing(hand_in(from_hex("4000")).out));
  CHECK(is_nothing(hand_in(from_hex("4000 0005 00")).out));        // shorter than it says
  CHECK(is_nothing(hand_in(from_hex("4abc 0001 00000000")).out));  // no such channel
  CHECK(is_nothing(hand_in(channel_message(0x4000, "x").size() > 3
                               ? from_hex("0016 0004 2112a442 000000000000000000000000 00130000")
                               : bytes{})
                       .out));  // Send without a peer
  CHECK_FALSE(hand_in(from_hex("0003 0006 2112a442 000000000000000000000000 0019 0002 1100")).ours);
  CHECK(server.counters().allocations == before.allocations);
  CHECK(server.counters().packets_to_peers == before.packets_to_peers);
  CHECK(server.counters().malformed > before.malformed);
  CHECK_FALSE(server.poll_transmit().has_value());
}

TEST_CASE_FIXTURE(fixture, "data without an allocation goes nowhere") {
  REQUIRE(bind(client, 0x4000, peer_v4)->success);
  CHECK(is_nothing(server.handle_client(from(5001), channel_message(0x4000, "x"), now).out));
  CHECK(is_nothing(send(from(5001), peer_v4, "x")));
  CHECK(is_nothing(server.handle_peer(relay + 1, peer_v4, as_bytes("x"), now)));
  CHECK(server.counters().no_allocation == 3);
  // Expired, though no time-out has run yet.
  now += 601s;
  CHECK(is_nothing(server.handle_client(client, channel_message(0x4000, "x"), now).out));
  CHECK(is_nothing(server.handle_peer(relay, peer_v4, as_bytes("x"), now)));
}

TEST_CASE_FIXTURE(fixture, "packets and bytes are counted each way") {
  REQUIRE(bind(client, 0x4000, peer_v4)->success);
  static_cast<void>(server.handle_client(client, channel_message(0x4000, "hello"), now));
  static_cast<void>(send(client, peer_v4, "abc"));
  static_cast<void>(server.handle_peer(relay, peer_v4, as_bytes("12"), now));
  CHECK(server.counters().packets_to_peers == 2);
  CHECK(server.counters().bytes_to_peers == 8);
  CHECK(server.counters().packets_to_clients == 1);
  CHECK(server.counters().bytes_to_clients == 2);
  CHECK(to_string(turn::refusal::quota) == "quota");
}
