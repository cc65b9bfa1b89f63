// TCP and TLS on loopback, against a server in the same loop.

#include "stun/io/stream.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "protocol/base/big_endian.hpp"
#include "stun/message.hpp"
#include "tests/check.hpp"
#include "tests/stun/io/loop.hpp"
#include "tests/stun/io/tls_server.hpp"
#include "tests/vectors/rfc5769.hpp"

using namespace nat;
using namespace nat::stun::io;
using nat::test::from_hex;
using nat::test::run_until;
using nat::test::stream_server;

namespace {

const address loopback = *parse_address("127.0.0.1");

// ChannelData with its padding.
bytes channel_data(std::size_t size) {
  bytes out(4 + (size + 3) / 4 * 4, std::byte{0x5a});
  store_be(byte_span(out), 0, std::uint16_t{0x4001});
  store_be(byte_span(out), 2, static_cast<std::uint16_t>(size));
  return out;
}

struct client {
  client(boost::asio::io_context& io, const endpoint& to, stream_options options = {})
      : connection(
            io.get_executor(), loopback, to, std::move(options),
            [this](const endpoint& at) { opened.push_back(at); },
            [this](byte_view message) { messages.push_back(to_bytes(message)); },
            [this](std::string why) { closed.push_back(std::move(why)); }) {}

  std::vector<endpoint> opened{};
  std::vector<bytes> messages{};
  std::vector<std::string> closed{};
  stream connection;
};

struct fixture {
  boost::asio::io_context io{};
  bool until(auto done) { return run_until(io, done); }
};

const nat::test::test_certificate& certificate() {
  static const nat::test::test_certificate made;
  return made;
}

}  // namespace

TEST_CASE_FIXTURE(fixture, "messages come whole, however the stream is cut") {
  const auto request = from_hex(nat::test::rfc5769::request);
  const auto data = channel_data(5), large = channel_data(65535);
  bytes all;
  for (const auto& part : {request, data, request, large, channel_data(0), data}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{109}, all.size()}) {
    CAPTURE(piece);
    stream_server server(io);
    client c(io, server.at());
    REQUIRE(until([&] { return server.open && !c.opened.empty(); }));
    CHECK(c.opened[0].ip == loopback);
    // The large message in the middle goes in one piece: octet by octet takes too long.
    for (std::size_t at = 0; at < all.size();) {
      const auto size = std::min(at > 300 && all.size() - at > 100 ? std::size_t{30'000} : piece,
                                 all.size() - at);
      server.send(byte_view(all).subspan(at, size));
      io.poll();
      at += size;
    }
    REQUIRE(until([&] { return c.messages.size() == 6; }));
    CHECK(c.messages[0] == request);
    CHECK(c.messages[1] == data);
    CHECK(c.messages[2] == request);
    CHECK(c.messages[3] == large);
    CHECK(c.messages[4] == channel_data(0));
    CHECK(c.messages[5] == data);
    CHECK(c.closed.empty());
  }
}

TEST_CASE_FIXTURE(fixture, "what is sent before it is open goes out first") {
  stream_server server(io);
  client c(io, server.at());
  c.connection.send(as_bytes("one "));
  c.connection.send(as_bytes("two "));
  REQUIRE(until([&] { return !c.opened.empty(); }));
  c.connection.send(as_bytes("three"));
  REQUIRE(until([&] { return server.received.size() == 13; }));
  CHECK(as_text(server.received) == "one two three");
}

TEST_CASE_FIXTURE(fixture, "a stream that is not STUN ends, once") {
  for (const auto* garbage : {"ffffffff00", "0001 0001", "8000 0000", "48545450"}) {
    stream_server server(io);
    client c(io, server.at());
    REQUIRE(until([&] { return server.open; }));
    server.send(from_hex(garbage));
    server.send(from_hex(nat::test::rfc5769::request));
    if (std::string_view(garbage) == "48545450") {  // "HTTP": ChannelData of 21,584 octets
      server.close();
    }
    REQUIRE(until([&] { return !c.closed.empty(); }));
    io.poll();
    CHECK(c.closed.size() == 1);
    CHECK(c.messages.empty());
  }
}

TEST_CASE_FIXTURE(fixture, "refused, and closed by the other end") {
  using tcp = stream_server::tcp;
  const tcp::socket deaf(io, {boost::asio::ip::address_v4::loopback(), 0});  // does not listen
  client refused(io, {loopback, deaf.local_endpoint().port()});
  REQUIRE(until([&] { return !refused.closed.empty(); }));
  CHECK(refused.opened.empty());
  CHECK(refused.closed[0].find("refused") != std::string::npos);

  stream_server leaver(io);
  client c(io, leaver.at());
  REQUIRE(until([&] { return leaver.open && !c.opened.empty(); }));
  leaver.close();
  REQUIRE(until([&] { return !c.closed.empty(); }));
  CHECK(c.closed[0] == "the server closed the connection");
  c.connection.send(as_bytes("into the void"));
  io.poll();
  CHECK(c.closed.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "a local address that is not ours") {
  stream_server server(io);
  std::vector<std::string> closed;
  const stream s(
      io.get_executor(), *parse_address("192.0.2.1"), server.at(), {},
      [](const endpoint&) { FAIL("open"); }, [](byte_view) {},
      [&](std::string why) { closed.push_back(std::move(why)); });
  CHECK(closed.empty());  // not from inside the constructor
  REQUIRE(until([&] { return closed.size() == 1; }));
}

TEST_CASE_FIXTURE(fixture, "more than max_queue octets are not kept") {
  stream_server server(io);
  client c(io, server.at(), {.host = {}, .ca_file = {}, .max_queue = 1000});
  const bytes message(300);
  for (int i = 0; i < 10; ++i) c.connection.send(message);
  REQUIRE(until([&] { return server.received.size() >= 900; }));
  io.poll();
  CHECK(server.received.size() == 900);
  for (int i = 0; i < 3; ++i) c.connection.send(message);
  REQUIRE(until([&] { return server.received.size() == 1800; }));
}

TEST_CASE_FIXTURE(fixture, "destroyed by its own callbacks") {
  stream_server server(io);
  auto held = std::make_shared<int>(0);
  std::optional<stream> s;
  int messages = 0;
  s.emplace(
      io.get_executor(), loopback, server.at(), stream_options{}, [held](const endpoint&) {},
      [&messages, &s, held](byte_view) {
        ++messages;
        s.reset();
      },
      [](const std::string&) { FAIL("closed is for the other end's doing"); });
  REQUIRE(until([&] { return server.open; }));
  server.send(channel_data(4));
  server.send(channel_data(4));
  REQUIRE(until([&] { return held.use_count() == 1 && server.closed; }));
  CHECK(messages == 1);
}

TEST_CASE_FIXTURE(fixture, "TLS: a certificate that is trusted, by name and by address") {
  for (const auto* host : {"stun.test", "127.0.0.1", ""}) {
    CAPTURE(host);
    stream_server server(io, &certificate());
    client c(io, server.at(), {.tls = true, .host = host, .ca_file = certificate().file()});
    const auto request = from_hex(nat::test::rfc5769::request);
    c.connection.send(request);
    REQUIRE(until([&] { return server.received.size() == request.size() || !c.closed.empty(); }));
    CHECK(c.closed.empty());
    CHECK(server.received == request);
    CHECK(server.sni == (std::string_view(host) == "stun.test" ? "stun.test" : ""));
    const auto large = channel_data(60'000);
    server.send(large);
    REQUIRE(until([&] { return c.messages.size() == 1; }));
    CHECK(c.messages[0] == large);
    server.close();
    REQUIRE(until([&] { return !c.closed.empty(); }));
    CHECK(c.closed[0] == "the server closed the connection");
  }
}

TEST_CASE_FIXTURE(fixture, "TLS: another's certificate, an unknown issuer, and not looking") {
  const auto outcome = [&](stream_options options) {
    stream_server server(io, &certificate());
    client c(io, server.at(), std::move(options));
    REQUIRE(until([&] { return !c.closed.empty() || !c.opened.empty(); }));
    CHECK(c.opened.empty() != c.closed.empty());
    return c.closed.empty() ? "open" : c.closed[0];
  };
  const auto trusted = certificate().file();
  CHECK(outcome({.tls = true, .host = "other.test", .ca_file = trusted}) ==
        "certificate: hostname mismatch");
  CHECK(outcome({.tls = true, .host = "127.0.0.2", .ca_file = trusted}) ==
        "certificate: IP address mismatch");
  CHECK(outcome({.tls = true, .host = "stun.test", .ca_file = {}}) ==
        "certificate: self-signed certificate");
  CHECK(outcome({.tls = true, .host = "other.test", .ca_file = {}, .tls_insecure = true}) ==
        "open");
  CHECK(outcome({.tls = true, .host = "stun.test", .ca_file = "/nonexistent.pem"}) != "open");
}

TEST_CASE_FIXTURE(fixture, "TLS towards a server that does not speak it") {
  stream_server server(io);
  client c(io, server.at(),
           {.tls = true, .host = "stun.test", .ca_file = {}, .tls_insecure = true});
  REQUIRE(until([&] { return server.received.size() > 4; }));  // ClientHello
  server.send(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
  REQUIRE(until([&] { return !c.closed.empty(); }));
  CHECK(c.opened.empty());
}
