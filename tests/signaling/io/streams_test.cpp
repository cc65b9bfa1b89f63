// STUN and TURN over TCP and TLS, at the real process.

#include "protocol/base/big_endian.hpp"
#include "stun/turn/channel_data.hpp"
#include "tests/check.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"
#include "tests/signaling/io/turn_user.hpp"

namespace nat::test {
namespace {

namespace attr = stun::attr;
constexpr auto tcp_only = raw_client::start::tcp_only;

server_process relay(std::vector<std::string> more, const test_certificate* c = nullptr) {
  ::setenv("TURN_SECRET", "north", 1);
  more.insert(more.end(), {"--relay-allow", "127.0.0.1/32"});
  if (c != nullptr) more.insert(more.end(), {"--tls-cert", c->file(), "--tls-key", c->key_file()});
  return server_process(std::move(more));
}

bytes binding_request() {
  std::array<std::byte, 32> buffer;
  seeded_random random{3};
  stun::message_writer w(buffer, stun::binding_request, stun::make_transaction_id(random));
  return to_bytes(*w.finish());
}

// Data both ways through a relayed address.
void relay_both_ways(stream_user& al) {
  const auto relayed = al.relayed();
  udp_end peer;
  al.bind(0x4001, peer.local());
  for (const std::size_t size : {1U, 2U, 3U, 4U, 1'200U}) {
    const std::string payload(size, 'p');
    al.send(0x4001, payload);
    endpoint from;
    CHECK(as_text(peer.receive(&from)) == payload);
    CHECK(from == relayed);
    peer.send(relayed, as_bytes(payload));
    const auto back = al.end.receive();
    CHECK(back.size() == 4 + (size + 3) / 4 * 4);  // RFC 8656, 12.5: padded
    CHECK(as_text(turn::parse_channel_data(back)->payload) == payload);
  }
}

TEST_CASE("Binding is answered over TCP, over TLS on the same port, and over TLS on the wss port") {
  const test_certificate certificate;
  const auto server = relay({"--threads", "2"}, &certificate);
  std::vector<stream_end> ends;
  ends.emplace_back(raw_client(server.stun, tcp_only));
  ends.emplace_back(raw_client(server.stun, tls_settings{}, tcp_only));
  ends.emplace_back(raw_client(server.websocket, tls_settings{}, tcp_only));
  for (auto& end : ends) {
    for (int i = 0; i < 3; ++i) {
      end.send(binding_request());
      const auto answer = end.receive();
      const auto view = stun::message_view::parse(answer);
      REQUIRE(view);
      CHECK(view->type() == stun::binding_success);
      CHECK(view->get<attr::xor_mapped_address>()->ip == server.stun.ip);
    }
  }
  CHECK(metric(server.admin, "signaling_stun_streams") == 3);
  raw_client al(server.websocket, tls_settings{});  // and HTTP still is HTTP there
  al.join("al");
}

TEST_CASE("with --no-stun the wss port serves none either: there it is broken HTTP") {
  const test_certificate certificate;
  const auto server = relay({"--no-stun"}, &certificate);
  raw_client stranger(server.websocket, tls_settings{}, tcp_only);
  stranger.send_raw(std::string(as_text(binding_request())) + "\r\n\r\n");
  CHECK(stranger.read_head().starts_with("HTTP/1.1 400 "));
  raw_client al(server.websocket, tls_settings{});
  al.join("al");
}

TEST_CASE("TURN relays over TCP, turns on both ports, on every loop") {
  const test_certificate certificate;
  const auto server = relay({"--threads", "3"}, &certificate);
  for (int round = 0; round < 4; ++round) {
    stream_user plain("plain", "north", raw_client(server.stun, tcp_only));
    stream_user secured("secured", "north", raw_client(server.stun, tls_settings{}, tcp_only));
    stream_user shared("shared", "north", raw_client(server.websocket, tls_settings{}, tcp_only));
    relay_both_ways(plain);
    relay_both_ways(secured);
    relay_both_ways(shared);
  }
}

TEST_CASE("what is announced is what works: udp, tcp, and turns by the certificate's address") {
  const test_certificate certificate;
  const auto server = relay({}, &certificate);
  raw_client al(server.websocket, tls_settings{});
  const auto answer = al.join("al");
  const auto stun = to_string(server.stun), wss = to_string(server.websocket);
  CHECK(answer.contains("[\"turn:" + stun + "?transport=udp\",\"turn:" + stun +
                        "?transport=tcp\",\"turns:" + wss + "?transport=tcp\"]"));
}

TEST_CASE("messages in any pieces, and many in one") {
  const auto server = relay({});
  stream_end end{raw_client(server.stun, tcp_only)};
  const auto request = binding_request();
  bytes many;
  for (int i = 0; i < 50; ++i) many.insert(many.end(), request.begin(), request.end());
  end.send(many);
  for (int i = 0; i < 50; ++i) CHECK(end.receive().size() == 32);
  for (const std::size_t step : {1U, 3U, 7U, 19U, 21U}) {
    for (byte_view rest = byte_view(many).first(5 * request.size()); !rest.empty();) {
      const auto piece = rest.first(std::min<std::size_t>(step, rest.size()));
      end.send(piece);
      rest = rest.subspan(piece.size());
    }
    for (int i = 0; i < 5; ++i) CHECK(end.receive().size() == 32);
  }
}

TEST_CASE("the end of the connection is the end of its allocation") {
  const auto server = relay({"--threads", "1"});
  {
    stream_user al("al", "north", raw_client(server.stun, tcp_only));
    REQUIRE(stream_user::code(al.allocate()) == 0);
    CHECK(metric(server.admin, "signaling_relay_allocations") == 1);
  }
  // Asked after the connection has ended, on the same loop.
  wait_until("the allocation has ended",
             [&] { return metric(server.admin, "signaling_relay_allocations") == 0; });
  CHECK(metric(server.admin, "signaling_stun_streams") == 0);
}

TEST_CASE("what is no STUN ends the connection: garbage, HTTP, TLS without a certificate") {
  const auto server = relay({});
  const auto answer_to = [&](const std::string& octets) {
    raw_client stranger(server.stun, tcp_only);
    stranger.send_raw(octets);
    return stranger.read_octets(1);
  };
  CHECK(answer_to("GET / HTTP/1.1\r\n\r\n").empty());
  CHECK(answer_to(std::string("\x16\x03\x01\x00\x05hello", 10)).empty());
  CHECK(answer_to(std::string("\x40\x01\x00\x04"
                              "data",
                              8))
            .empty());                                           // no channel yet
  CHECK(answer_to(std::string("\x00\x01\x00\x03", 4)).empty());  // no multiple of four
  CHECK(answer_to(std::string("\x00\x01\xff\xfc", 4)).empty());  // and nothing so large
  stream_end good{raw_client(server.stun, tcp_only)};
  good.send(binding_request());
  CHECK(good.receive().size() == 32);
}

TEST_CASE("who asks too much without an allocation is cut off, who has one is not") {
  // In bursts of 40.
  const auto server = relay({"--messages-per-second", "10", "--threads", "1"});
  stream_user al("al", "north", raw_client(server.stun, tcp_only));
  REQUIRE(stream_user::code(al.allocate()) == 0);
  for (int i = 0; i < 500; ++i) {
    al.end.send(binding_request());
    REQUIRE(al.end.receive().size() == 32);
  }
  raw_client stranger(server.stun, tcp_only);
  std::string flood;
  for (int i = 0; i < 500; ++i) flood += as_text(byte_view(binding_request()));
  stranger.send_raw(flood);
  const auto answers = stranger.read_octets(flood.size() * 4);  // up to the end
  CHECK(answers.size() >= 40 * 32);
  CHECK(answers.size() < 500 * 32);
  CHECK(metric(server.admin, "signaling_stun_streams_flooded_total") == 1);
}

TEST_CASE("time limits: silence, half a message, half a handshake") {
  const test_certificate certificate;
  const auto server = relay({"--register-timeout", "0.5"}, &certificate);
  raw_client silent(server.stun, tcp_only), half(server.stun, tcp_only);
  raw_client handshaking(server.stun, tcp_only);
  half.send_raw(as_text(byte_view(binding_request()).first(10)));
  handshaking.send_raw(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  for (auto* late : {&silent, &half, &handshaking}) CHECK(late->read_octets(1).empty());
}

// 4 s each, within which a busy machine too does what has to be in time.
TEST_CASE("time limits: an allocation keeps its connection, but not one that stops in a message") {
  const auto server = relay({"--register-timeout", "4", "--idle-timeout", "8"});
  stream_user al("al", "north", raw_client(server.stun, tcp_only));
  stream_user midway("midway", "north", raw_client(server.stun, tcp_only));
  for (auto* user : {&al, &midway}) REQUIRE(stream_user::code(user->allocate()) == 0);
  midway.end.send(byte_view(binding_request()).first(10));
  stream_end idle{raw_client(server.stun, tcp_only)};
  idle.send(binding_request());
  CHECK(idle.receive().size() == 32);
  for (auto* late : {&idle, &midway.end}) CHECK(late->client().read_octets(1).empty());
  udp_end peer;
  al.bind(0x4001, peer.local());
}

TEST_CASE("connections from one address are counted with the WebSocket ones") {
  const auto server = relay({"--max-connections-per-address", "2", "--threads", "1"});
  raw_client al(server.websocket);
  stream_end one{raw_client(server.stun, tcp_only)};
  one.send(binding_request());
  CHECK(one.receive().size() == 32);
  raw_client refused(server.stun, tcp_only);
  CHECK(refused.read_octets(1).empty());
  CHECK(metric(server.admin, "signaling_connections_rejected_total{limit=\"address\"}") == 1);
}

TEST_CASE("a client that does not read loses data, not the server its memory; then it goes on") {
  const auto server = relay({"--threads", "1"});
  stream_user slow("slow", "north", raw_client(server.stun, tcp_only));
  const auto relayed = slow.relayed();
  udp_end peer;
  slow.bind(0x4001, peer.local());
  const auto before = server.resident_bytes();
  const bytes payload(1'200, std::byte{'x'});
  // More than any buffer on the way holds; the answer to a datagram to the server paces them.
  udp_end pace;
  wait_until("1,000 messages are dropped", [&] {
    for (int i = 0; i < 2'000; ++i) {
      peer.send(relayed, payload);
      if (i % 50 == 49) {
        pace.send(server.stun, binding_request());
        (void)pace.receive();
      }
    }
    return metric(server.admin, "signaling_stun_stream_messages_dropped_total") >= 1'000;
  });
  CHECK(server.resident_bytes() < before + (8U << 20));
  // Whole messages still, and an answer behind them.
  std::array<std::byte, 64> buffer;
  seeded_random random{9};
  stun::message_writer w(buffer, stun::binding_request, stun::make_transaction_id(random));
  slow.end.send(*w.finish());
  for (;;) {
    const auto next = slow.end.receive();
    if (next[0] != std::byte{0x40}) break;
    REQUIRE(turn::parse_channel_data(next)->payload.size() == payload.size());
  }
}

TEST_CASE("a client that floods requests and reads no answer is not listened to for ever") {
  const auto server = relay({"--threads", "1", "--idle-timeout", "2"});
  raw_client flood(server.stun, tcp_only);
  const auto before = server.resident_bytes();
  std::string many;
  for (int i = 0; i < 2'000; ++i) many += as_text(binding_request());
  // Until the server stops reading and, since no message comes any more, ends it.
  wait_until("the flood is ended", [&] { return !flood.send_raw(many); });
  CHECK(server.resident_bytes() < before + (8U << 20));
  CHECK(server.alive());
}

}  // namespace
}  // namespace nat::test
