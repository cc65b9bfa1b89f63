#include "protocol/dtls/connection.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::dtls;
using namespace std::chrono_literals;

namespace {

// Client and server with a path of fixed delay, in virtual time.
struct pair {
  using fate = std::function<bool(bool from_client, std::size_t nth, bytes&)>;  // false: lost

  duration delay;
  certificate client_certificate, server_certificate;
  time_point now{1min};
  connection client, server;
  std::multimap<time_point, std::pair<bool, bytes>> flying;  // first: towards the client
  std::size_t sent[2] = {0, 0};
  std::vector<std::string> received[2];  // by server, by client
  fate decide = [](bool, std::size_t, bytes&) { return true; };

  explicit pair(duration one_way = 10ms, duration rtt = 20ms)
      : delay(one_way),
        client({role::client, server_certificate.fingerprint(), rtt}, client_certificate, now),
        server({role::server, client_certificate.fingerprint(), rtt}, server_certificate, now) {}

  void collect(bool from_client) {
    auto& from = from_client ? client : server;
    while (auto batch = from.poll_transmit()) {
      const std::size_t step = batch->segment_size ? batch->segment_size : batch->data.size();
      for (std::size_t at = 0; at < batch->data.size(); at += step) {
        const auto size = std::min(step, batch->data.size() - at);
        auto datagram = to_bytes(byte_view(batch->data).subspan(at, size));
        if (decide(from_client, sent[from_client]++, datagram)) {
          flying.emplace(now + delay, std::pair{!from_client, std::move(datagram)});
        }
      }
    }
  }
  void deliver(bool to_client, byte_view datagram) {
    auto& to = to_client ? client : server;
    to.handle_datagram(datagram, now);
    while (const auto plain = to.poll_received(now)) {
      received[to_client].emplace_back(as_text(*plain));
    }
  }
  bool both_connected() const {
    return client.state() == state::connected && server.state() == state::connected;
  }
  bool run(duration limit, const std::function<bool()>& done) {
    const auto end = now + limit;
    for (;;) {
      collect(true);
      collect(false);
      if (done()) return true;
      auto next = earlier(client.next_timeout(), server.next_timeout());
      if (!flying.empty()) next = earlier(next, flying.begin()->first);
      if (!next || *next > end) return false;
      now = std::max(now, *next);
      while (!flying.empty() && flying.begin()->first <= now) {
        const auto [to_client, datagram] = std::move(flying.begin()->second);
        flying.erase(flying.begin());
        deliver(to_client, datagram);
      }
      client.handle_timeout(now);
      server.handle_timeout(now);
    }
  }
  bool connect(duration limit = 60s) {
    return run(limit, [&] { return both_connected(); });
  }
};

}  // namespace

TEST_CASE("both ends connect in two round trips, and know each other") {
  pair p;
  const auto start = p.now;
  REQUIRE(p.connect());
  CHECK(p.now - start == 40ms);
  CHECK(p.client.cipher() == "ECDHE-ECDSA-AES128-GCM-SHA256");
  CHECK(p.client.peer() == p.server_certificate.fingerprint());
  CHECK(p.client.max_plaintext() == 1'200 - 37);
  CHECK(p.sent[0] + p.sent[1] <= 6);
}

TEST_CASE("records go both ways, each in a datagram no longer than the MTU") {
  pair p;
  REQUIRE(p.connect());
  p.decide = [](bool, std::size_t, const bytes& datagram) {
    CHECK(datagram.size() <= 1'200);
    return true;
  };
  const bytes largest(p.client.max_plaintext(), std::byte{'x'});
  REQUIRE(p.client.send(as_bytes("ping")));
  REQUIRE(p.client.send(largest));
  REQUIRE(p.server.send(as_bytes("pong")));
  REQUIRE(p.run(1s, [&] { return p.received[0].size() == 2 && p.received[1].size() == 1; }));
  CHECK(p.received[0][0] == "ping");
  CHECK(p.received[0][1].size() == largest.size());
  CHECK(p.received[1][0] == "pong");
}

TEST_CASE("whichever datagram of the handshake is lost, it connects soon") {
  for (const bool from_client : {true, false}) {
    for (std::size_t lost = 0; lost < 6; ++lost) {
      CAPTURE(from_client);
      CAPTURE(lost);
      pair p;
      const auto start = p.now;
      p.decide = [&](bool client, std::size_t nth, bytes&) {
        return client != from_client || nth != lost;
      };
      REQUIRE(p.connect());
      // Two round trips, a retransmission timer of three, and one more round trip.
      CHECK(p.now - start <= 200ms);
    }
  }
}

TEST_CASE("a third of all datagrams lost only slows it down") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    test::seeded_random random(seed);
    pair p;
    p.decide = [&](bool, std::size_t, bytes&) { return random_below(random, 3) != 0; };
    CHECK(p.connect(60s));
  }
}

TEST_CASE("handshake datagrams in any order and twice still connect") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    test::seeded_random random(seed);
    pair p;
    p.decide = [&](bool from_client, std::size_t, bytes& datagram) {
      const auto later = std::chrono::milliseconds(random_below(random, 30));
      p.flying.emplace(p.now + p.delay + later, std::pair{!from_client, datagram});
      return true;
    };
    CHECK(p.connect(5s));
  }
}

TEST_CASE("retransmission starts from the measured round trip and doubles") {
  pair p(10ms, 40ms);
  const auto start = p.now;
  std::vector<duration> times;
  p.decide = [&](bool from_client, std::size_t, bytes&) {
    if (from_client) times.push_back(p.now - start);
    return false;
  };
  CHECK_FALSE(p.run(2s, [] { return false; }));
  REQUIRE(times.size() == 5);
  CHECK(times[0] == 0ms);
  const auto near = [](duration is, duration wanted) {
    return is >= wanted - 16ms && is <= wanted;
  };
  CHECK(near(times[1], 120ms));
  CHECK(near(times[2], 360ms));
  CHECK(near(times[3], 840ms));
  CHECK(near(times[4], 1'800ms));
}

TEST_CASE("a peer that never answers is given up in the end") {
  pair p(10ms, 20ms);
  p.decide = [](bool, std::size_t, bytes&) { return false; };
  CHECK(p.run(2h, [&] { return p.client.state() == state::failed; }));
  CHECK(p.client.why() == failure::timeout);
  CHECK_FALSE(p.client.next_timeout());
}

TEST_CASE("a server's certificate that is not the announced one ends it on both sides") {
  pair p;
  const certificate other;
  p.client = connection({role::client, other.fingerprint(), 20ms}, p.client_certificate, p.now);
  REQUIRE(p.run(
      5s, [&] { return p.client.state() == state::failed && p.server.state() == state::failed; }));
  CHECK(p.client.why() == failure::fingerprint_mismatch);
  CHECK(p.server.why() == failure::fingerprint_mismatch);  // by the alert bad_certificate
  CHECK_FALSE(p.client.send(as_bytes("x")));
}

TEST_CASE("so does a client's, before it can send a byte") {
  pair p;
  const certificate other;
  p.server = connection({role::server, other.fingerprint(), 20ms}, p.server_certificate, p.now);
  REQUIRE(p.run(
      5s, [&] { return p.client.state() == state::failed && p.server.state() == state::failed; }));
  CHECK(p.server.why() == failure::fingerprint_mismatch);
  CHECK(p.client.why() == failure::fingerprint_mismatch);
  CHECK(p.received[0].empty());
}

TEST_CASE("an expectation without a digest is met by nobody") {
  pair p;
  p.client =
      connection({role::client, fingerprint{"sha-256", {}}, 20ms}, p.client_certificate, p.now);
  REQUIRE(p.run(5s, [&] { return p.client.state() == state::failed; }));
  CHECK(p.client.why() == failure::fingerprint_mismatch);
}

TEST_CASE("a fingerprint by SHA-512 is checked by SHA-512") {
  pair p;
  p.client = connection({role::client, fingerprint{"sha-512", bytes(64)}, 20ms},
                        p.client_certificate, p.now);
  REQUIRE(p.run(5s, [&] { return p.client.state() == state::failed; }));
  CHECK(p.client.why() == failure::fingerprint_mismatch);
}

TEST_CASE("replays, forgeries, garbage and unauthenticated alerts are dropped and counted") {
  pair p;
  REQUIRE(p.connect());
  bytes record;
  p.decide = [&](bool, std::size_t, bytes& datagram) {
    record = datagram;
    return true;
  };
  REQUIRE(p.client.send(as_bytes("once")));
  REQUIRE(p.run(1s, [&] { return p.received[0].size() == 1; }));
  const auto before = p.server.counters().dropped;

  p.deliver(false, record);  // again
  auto forged = record;
  forged.back() ^= std::byte{1};
  p.deliver(false, forged);
  auto future = record;
  future[10] ^= std::byte{7};  // another sequence number
  p.deliver(false, future);
  p.deliver(false, bytes(40, std::byte{0xee}));
  p.deliver(false, byte_view(record).first(12));
  p.deliver(false, {});
  // A fatal alert (handshake_failure) in the clear.
  p.deliver(false, test::from_hex("15 fefd 0000 000000000063 0002 0228"));
  // The same under the epoch of the keys, not encrypted with them.
  p.deliver(false, test::from_hex("15 fefd 0001 000000000063 0002 0228"));
  // Behind a record that was good, and a length that is not there.
  auto appended = record;
  const auto shorter = test::from_hex("17 fefd 0001 000000000064 0000");
  appended.insert(appended.end(), shorter.begin(), shorter.end());
  p.deliver(false, appended);
  // A ClientHello's beginning.
  p.deliver(false, test::from_hex("16 fefd 0000 000000000000 0004 01000000"));

  CHECK(p.server.counters().dropped == before + 10);
  CHECK(p.server.state() == state::connected);
  CHECK(p.received[0].size() == 1);
  REQUIRE(p.client.send(as_bytes("still here")));
  REQUIRE(p.run(1s, [&] { return p.received[0].size() == 2; }));
}

TEST_CASE("garbage before and during the handshake changes nothing") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    test::seeded_random random(seed);
    pair p;
    p.decide = [&](bool, std::size_t, bytes&) {
      bytes junk(random_below(random, 80));
      random.fill(junk);
      p.deliver(random_below(random, 2) == 0, junk);
      return true;
    };
    CHECK(p.connect(5s));
  }
}

TEST_CASE("data that overtakes the last flight is kept, up to a limit") {
  pair p;
  // The server is connected first; its last flight is held back while its data goes ahead.
  bytes last_flight;
  p.decide = [&](bool from_client, std::size_t nth, bytes& datagram) {
    if (from_client || nth != 1) return true;
    last_flight = datagram;
    return false;
  };
  REQUIRE(p.run(39ms, [&] { return p.server.state() == state::connected; }));
  REQUIRE(p.client.state() == state::handshaking);
  for (std::size_t i = 0; i < connection::max_early_datagrams + 5; ++i) {
    REQUIRE(p.server.send(as_bytes("early")));
  }
  p.collect(false);
  for (auto& [when, item] : p.flying) {
    if (item.first) p.deliver(true, item.second);
  }
  p.flying.clear();
  CHECK(p.client.state() == state::handshaking);
  CHECK(p.received[1].empty());
  p.deliver(true, last_flight);
  CHECK(p.client.state() == state::connected);
  CHECK(p.received[1].size() == connection::max_early_datagrams);
  CHECK(p.client.counters().dropped == 5);
}

TEST_CASE("close_notify ends the other side in order, and nothing is sent after it") {
  pair p;
  REQUIRE(p.connect());
  REQUIRE(p.client.send(as_bytes("last words")));
  p.client.close();
  CHECK_FALSE(p.client.send(as_bytes("too late")));
  REQUIRE(p.run(1s, [&] { return p.server.state() == state::closed; }));
  CHECK(p.received[0].size() == 1);
  CHECK(p.server.why() == failure::none);
}

TEST_CASE("a server connects however late it is asked, and an hour of silence is no harm") {
  pair p;
  const auto early_hello = p.client.poll_transmit();
  REQUIRE(early_hello);
  p.now += 20ms;
  p.deliver(false, early_hello->data);  // before anything else happened to the server
  REQUIRE(p.connect());
  p.now += 1h;
  REQUIRE(p.client.send(as_bytes("hello again")));
  REQUIRE(p.run(1s, [&] { return p.received[0].size() == 1; }));
}

TEST_CASE("a path with a second of delay connects, however wrong the first guess of it was") {
  pair p(500ms, 10ms);
  REQUIRE(p.connect(30s));
}

namespace {

void store_24(bytes& to, std::size_t at, std::size_t value) {
  for (std::size_t i = 0; i < 3; ++i) to[at + i] = static_cast<std::byte>(value >> (8 * (2 - i)));
}

// One record with the handshake fragment [from, to) of `message` (RFC 6347, 4.2.2).
bytes fragment(byte_view record, std::size_t from, std::size_t to, unsigned sequence) {
  auto out = to_bytes(record.first(13 + 12));
  out[10] = static_cast<std::byte>(sequence);
  const auto size = 12 + to - from;
  out[11] = static_cast<std::byte>(size >> 8);
  out[12] = static_cast<std::byte>(size);
  store_24(out, 13 + 6, from);
  store_24(out, 13 + 9, to - from);
  const auto body = record.subspan(13 + 12).subspan(from, to - from);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace

TEST_CASE("a ClientHello in pieces, as post-quantum key shares make it, is put together") {
  for (const bool swapped : {false, true}) {
    CAPTURE(swapped);
    pair p;
    p.decide = [&](bool from_client, std::size_t nth, bytes& record) {
      if (!from_client || nth != 0) return true;
      const auto length = record.size() - 25;
      // Forty is a sequence number that the client's later records will not have.
      auto first = fragment(record, 0, length / 2, 0),
           second = fragment(record, length / 2, length, 40);
      if (swapped) std::swap(first, second);
      for (auto* piece : {&first, &second})
        p.flying.emplace(p.now + 10ms, std::pair{false, *piece});
      return false;
    };
    const auto start = p.now;
    REQUIRE(p.connect(2s));
    CHECK(p.now - start == 40ms);
  }
}

TEST_CASE("a small MTU splits handshake messages, and every datagram stays within it") {
  pair p;
  p.client = connection({role::client, p.server_certificate.fingerprint(), 20ms, 300},
                        p.client_certificate, p.now);
  p.server = connection({role::server, p.client_certificate.fingerprint(), 20ms, 300},
                        p.server_certificate, p.now);
  std::size_t largest = 0;
  p.decide = [&](bool, std::size_t, bytes& datagram) {
    largest = std::max(largest, datagram.size());
    return true;
  };
  REQUIRE(p.connect(5s));
  CHECK(largest <= 300);
}
