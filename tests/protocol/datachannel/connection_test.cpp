#include "tests/check.hpp"

#include <algorithm>
#include <utility>

#include "protocol/datachannel/connection.hpp"
#include "tests/protocol/datachannel/wire.hpp"

using namespace nat;
using namespace nat::test;
using namespace nat::datachannel;

namespace {

bytes pattern(std::size_t size, unsigned salt = 0) {
  bytes out(size);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::byte>((i * 31 + (i >> 8) * 7 + salt) & 0xff);
  }
  return out;
}

}  // namespace

TEST_CASE("two connections open a channel and exchange messages both ways") {
  wire l;
  const auto id = l.a.peer.open({.label = "chat", .protocol = "p"}, l.now);
  REQUIRE(id);
  CHECK(l.a.peer.send(*id, as_bytes("before it is up"), false, l.now));
  REQUIRE(l.run(5s, [&] { return l.b.count<message>() == 1; }));
  const auto opened = l.b.all<channel_opened>();
  REQUIRE(opened.size() == 1);
  CHECK(opened[0].by_peer);
  CHECK(opened[0].options.label == "chat");
  CHECK(opened[0].options.protocol == "p");
  CHECK(l.b.peer.send(opened[0].id, as_bytes("back"), true, l.now));
  REQUIRE(l.run(5s, [&] { return l.a.count<message>() == 1; }));
  CHECK(as_text(l.b.all<message>()[0].data) == "before it is up");
  CHECK_FALSE(l.b.all<message>()[0].binary);
  CHECK(as_text(l.a.all<message>()[0].data) == "back");
  CHECK(l.a.all<message>()[0].binary);
  CHECK(l.a.count<channel_opened>() == 1);
  CHECK(l.a.count<secured>() == 1);
  CHECK(l.a.all<secured>()[0].peer == l.b_certificate.fingerprint());
  CHECK(l.a.all<secured>()[0].cipher == "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST_CASE("the first message arrives after two round trips of DTLS and one and a half of SCTP") {
  wire l({.delay = 50ms});
  const auto start = l.now;
  const auto id = l.a.peer.open({.label = "x"}, l.now);
  REQUIRE(l.a.peer.send(*id, as_bytes("hello"), false, l.now));
  REQUIRE(l.run(5s, [&] { return l.b.count<message>() == 1; }));
  MESSAGE("client's first message after ms: " << milliseconds(l.now - start));
  CHECK(l.now - start <= 355ms);
}

TEST_CASE("a large transfer arrives whole and in order, and refused sends are told of room") {
  wire l({.delay = 5ms});
  const auto id = *l.a.peer.open({.label = "bulk"}, l.now);
  const auto chunk = pattern(65'536);
  std::size_t sent = 0, refused = 0, told = 0;
  const std::size_t total = 200;
  REQUIRE(l.run(60s, [&] {
    while (sent < total) {
      if (!l.a.peer.send(id, chunk, true, l.now)) {
        ++refused;
        break;
      }
      ++sent;
    }
    told = l.a.count<writable>();
    return l.b.count<message>() == total;
  }));
  CHECK(refused > 0);
  CHECK(told > 0);
  for (const auto& m : l.b.all<message>()) CHECK(std::ranges::equal(m.data, chunk));
  REQUIRE(l.run(1s, [&] { return l.a.peer.buffered(id) == 0; }));
}

namespace {

// A pair with one open channel.
struct opened_pair : wire {
  channel_id id;
  template <class... More>
  explicit opened_pair(const channel_options& options, More&&... more)
      : wire(std::forward<More>(more)...) {
    id = this->a.peer.open(options, now).value();
    REQUIRE(run(30s, [&] {
      return this->a.template count<channel_opened>() == 1 &&
             this->b.template count<channel_opened>() == 1;
    }));
  }
};

}  // namespace

TEST_CASE("identifiers are even for the DTLS client and odd for the server") {
  wire l;
  CHECK(l.a.peer.open({.label = "1"}, l.now) == 0);
  CHECK(l.a.peer.open({.label = "2"}, l.now) == 2);
  CHECK(l.b.peer.open({.label = "3"}, l.now) == 1);
  REQUIRE(l.run(
      5s, [&] { return l.a.count<channel_opened>() == 3 && l.b.count<channel_opened>() == 3; }));
}

TEST_CASE("no more channels than the limit, ours or the peer's") {
  wire l({}, 1, [](connection_config& c, bool client) { c.max_channels = client ? 10 : 4; });
  std::size_t opened = 0;
  while (l.a.peer.open({.label = "x"}, l.now)) ++opened;
  CHECK(opened == 10);
  l.run(5s);
  CHECK(l.b.count<channel_opened>() == 4);
  CHECK(l.a.count<channel_opened>() == 4);
  // The others were refused by a reset, and are closed.
  CHECK(l.a.count<channel_closed>() == 6);
}

TEST_CASE("labels that RFC 8832 allows but we do not are refused at once") {
  wire l;
  CHECK_FALSE(l.a.peer.open({.label = std::string(2'000, 'x')}, l.now));
}

TEST_CASE("empty messages and single bytes keep their kind") {
  opened_pair l({.label = "x"});
  const bytes zero(1);
  CHECK(l.a.peer.send(l.id, {}, true, l.now));
  CHECK(l.a.peer.send(l.id, {}, false, l.now));
  CHECK(l.a.peer.send(l.id, zero, true, l.now));
  REQUIRE(l.run(1s, [&] { return l.b.count<message>() == 3; }));
  const auto got = l.b.all<message>();
  CHECK((got[0].data.empty() && got[0].binary));
  CHECK((got[1].data.empty() && !got[1].binary));
  CHECK((got[2].data.size() == 1 && got[2].binary));
}

TEST_CASE("a message of the announced size passes, one more octet is refused before sending") {
  opened_pair l({.label = "x"}, path_quality{}, 1, [](connection_config& c, bool) {
    c.max_message_size = c.remote_max_message_size = 200'000;
  });
  CHECK_FALSE(l.a.peer.send(l.id, pattern(200'001), true, l.now));
  CHECK(l.a.peer.send(l.id, pattern(200'000), true, l.now));
  REQUIRE(l.run(5s, [&] { return l.b.count<message>() == 1; }));
  CHECK(l.b.all<message>()[0].data == pattern(200'000));
}

TEST_CASE("a peer that exceeds what we announced is cut off, and both hear of it") {
  opened_pair l({.label = "x"}, path_quality{}, 1, [](connection_config& c, bool client) {
    if (!client) c.max_message_size = 100'000;
    if (client) c.remote_max_message_size = 0;  // believes that any size is fine
  });
  CHECK(l.a.peer.send(l.id, pattern(100'001), true, l.now));
  REQUIRE(l.run(5s, [&] { return l.b.count<failed>() == 1; }));
  CHECK(l.b.all<failed>()[0].why == failure::protocol);
  CHECK(l.b.count<message>() == 0);
  REQUIRE(l.run(5s, [&] { return l.a.count<closed>() + l.a.count<failed>() == 1; }));
}

TEST_CASE("messages on two channels keep their order within each") {
  wire l({.delay = 10ms, .loss_percent = 5}, 4);
  const auto one = *l.a.peer.open({.label = "1"}, l.now);
  const auto two = *l.a.peer.open({.label = "2"}, l.now);
  int sent = 0;
  REQUIRE(l.run(120s, [&] {
    while (sent < 200 && l.a.peer.send(sent % 2 ? one : two,
                                       pattern(5'000, static_cast<unsigned>(sent)), true, l.now)) {
      ++sent;
    }
    return l.b.count<message>() == 200;
  }));
  unsigned next[2] = {0, 1};
  for (const auto& m : l.b.all<message>()) {
    auto& n = next[m.id == one];
    CHECK(m.data == pattern(5'000, n));
    n += 2;
  }
}

TEST_CASE("loss, duplication and reordering cost time but no byte") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    wire l({.delay = 20ms, .loss_percent = 10, .duplicate_percent = 5, .jitter = 15ms}, seed);
    const auto id = *l.a.peer.open({.label = "x"}, l.now);
    int sent = 0;
    REQUIRE(l.run(300s, [&] {
      while (sent < 40 &&
             l.a.peer.send(id, pattern(20'000, static_cast<unsigned>(sent)), true, l.now)) {
        ++sent;
      }
      return l.b.count<message>() == 40;
    }));
    const auto got = l.b.all<message>();
    for (unsigned i = 0; i < 40; ++i) CHECK(got[i].data == pattern(20'000, i));
  }
}

TEST_CASE("it opens under a third of loss") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    wire l({.delay = 10ms, .loss_percent = 33}, seed);
    (void)l.a.peer.open({.label = "x"}, l.now);
    CHECK(l.run(60s, [&] { return l.b.count<channel_opened>() == 1; }));
  }
}

TEST_CASE("unordered and partially reliable channels deliver what arrives") {
  opened_pair l({.label = "x", .ordered = false, .max_retransmits = 0},
                path_quality{.delay = 10ms});
  int lose = 3;
  l.a.filter = [&](byte_view datagram) { return datagram.size() < 500 || lose-- <= 0; };
  for (unsigned i = 0; i < 10; ++i) CHECK(l.a.peer.send(l.id, pattern(900, i), true, l.now));
  l.run(10s);
  CHECK(l.b.count<message>() == 7);
  CHECK(l.a.peer.buffered(l.id) == 0);
}

TEST_CASE("closing a channel delivers what was queued, tells both ends and frees the identifier") {
  opened_pair l({.label = "x"});
  for (int i = 0; i < 20; ++i) REQUIRE(l.a.peer.send(l.id, pattern(20'000), true, l.now));
  l.a.peer.close(l.id, l.now);
  CHECK_FALSE(l.a.peer.send(l.id, pattern(1), true, l.now));
  REQUIRE(l.run(
      10s, [&] { return l.a.count<channel_closed>() == 1 && l.b.count<channel_closed>() == 1; }));
  CHECK(l.b.count<message>() == 20);
  CHECK(l.a.peer.open({.label = "again"}, l.now) == l.id);
  REQUIRE(l.run(5s, [&] { return l.b.count<channel_opened>() == 2; }));
  CHECK(l.a.peer.send(l.id, as_bytes("on the same stream"), false, l.now));
  CHECK(l.run(5s, [&] { return l.b.count<message>() == 21; }));
}

TEST_CASE("both ends closing at once, and one closing before it was acknowledged") {
  opened_pair l({.label = "x"});
  l.a.peer.close(l.id, l.now);
  l.b.peer.close(l.id, l.now);
  const auto second = *l.a.peer.open({.label = "short"}, l.now);
  l.a.peer.close(second, l.now);
  REQUIRE(l.run(
      10s, [&] { return l.a.count<channel_closed>() == 2 && l.b.count<channel_closed>() == 2; }));
}

TEST_CASE("a paused reader closes the window: memory stays bounded and nothing is lost") {
  opened_pair l({.label = "x"}, path_quality{.delay = 1ms}, 1,
                [](connection_config& c, bool) { c.send_buffer = c.receive_buffer = 200'000; });
  l.b.peer.pause(l.now);
  std::size_t sent = 0;
  l.run(20s, [&] {
    while (l.a.peer.send(l.id, pattern(10'000, static_cast<unsigned>(sent)), true, l.now)) ++sent;
    return false;
  });
  CHECK(l.b.count<message>() == 0);
  CHECK(sent >= 20);
  CHECK(sent <= 45);  // both buffers, and one message cut short
  l.b.peer.resume(l.now);
  REQUIRE(l.run(20s, [&] { return l.b.count<message>() == sent; }));
  const auto got = l.b.all<message>();
  for (unsigned i = 0; i < sent; ++i) CHECK(got[i].data == pattern(10'000, i));
  CHECK(l.a.count<writable>() > 0);
}

TEST_CASE("an hour of pause with probes going is survived") {
  opened_pair l({.label = "x"}, path_quality{}, 1,
                [](connection_config& c, bool) { c.send_buffer = c.receive_buffer = 100'000; });
  l.b.peer.pause(l.now);
  std::size_t sent = 0;
  while (l.a.peer.send(l.id, pattern(10'000), true, l.now)) ++sent;
  l.run(1h);
  CHECK(l.a.count<failed>() == 0);
  l.b.peer.resume(l.now);
  CHECK(l.run(20s, [&] { return l.b.count<message>() == sent; }));
}

TEST_CASE("shutdown delivers what was accepted and ends both in order") {
  opened_pair l({.label = "x"});
  for (int i = 0; i < 30; ++i) CHECK(l.a.peer.send(l.id, pattern(20'000), true, l.now));
  l.a.peer.shutdown(l.now);
  CHECK_FALSE(l.a.peer.send(l.id, pattern(1), true, l.now));
  REQUIRE(l.run(30s, [&] { return l.a.count<closed>() == 1 && l.b.count<closed>() == 1; }));
  CHECK(l.b.count<message>() == 30);
  CHECK(l.a.count<failed>() == 0);
  CHECK_FALSE(l.a.peer.next_timeout());
  CHECK_FALSE(l.b.peer.next_timeout());
}

TEST_CASE("abort ends both at once, even where the other end has more to say") {
  opened_pair l({.label = "x"});
  for (int i = 0; i < 30; ++i) CHECK(l.b.peer.send(l.id, pattern(20'000), true, l.now));
  l.a.peer.shutdown(l.now);
  l.a.peer.abort(l.now);
  l.a.peer.abort(l.now);
  CHECK(l.run(2s, [&] { return l.a.count<closed>() == 1 && l.b.count<closed>() == 1; }));
  CHECK_FALSE(l.a.peer.next_timeout());
}

TEST_CASE("shutdown before anything is up ends at once") {
  wire l;
  l.a.peer.shutdown(l.now);
  CHECK(l.run(1s, [&] { return l.a.count<closed>() == 1; }));
}

TEST_CASE("the wrong fingerprint fails both ends with that word, and no channel opens") {
  for (const bool at_client : {true, false}) {
    CAPTURE(at_client);
    wire l({}, 1, [&](connection_config& c, bool client) {
      if (client == at_client) c.remote.digest[0] ^= std::byte{1};
    });
    (void)l.a.peer.open({.label = "x"}, l.now);
    REQUIRE(l.run(5s, [&] { return l.a.count<failed>() == 1 && l.b.count<failed>() == 1; }));
    CHECK(l.a.all<failed>()[0].why == failure::fingerprint_mismatch);
    CHECK(l.b.all<failed>()[0].why == failure::fingerprint_mismatch);
    CHECK(l.b.count<channel_opened>() == 0);
    CHECK(l.a.count<established>() + l.b.count<established>() == 0);
  }
}

TEST_CASE("a peer that falls silent is noticed in the end, though ICE will know first") {
  opened_pair l({.label = "x"});
  l.a.filter = l.b.filter = [](byte_view) { return false; };
  CHECK(l.a.peer.send(l.id, as_bytes("anyone?"), false, l.now));
  CHECK(l.run(2h, [&] { return l.a.count<failed>() == 1; }));
  CHECK(l.a.all<failed>()[0].why == failure::timeout);
}

TEST_CASE("back-pressure: what send() accepts stays within the buffer, and writable follows") {
  opened_pair l({.label = "x"}, path_quality{.delay = 50ms}, 1,
                [](connection_config& c, bool) { c.send_buffer = 100'000; });
  std::size_t accepted = 0;
  while (l.a.peer.send(l.id, pattern(30'000), true, l.now)) accepted += 30'000;
  CHECK(accepted >= 100'000);
  CHECK(accepted <= 130'000);
  CHECK(l.a.peer.buffered(l.id) == accepted);
  REQUIRE(l.run(5s, [&] { return l.a.count<writable>() == 1; }));
  CHECK(l.a.peer.buffered(l.id) <= 50'000);
  CHECK(l.a.peer.send(l.id, pattern(30'000), true, l.now));
}

TEST_CASE("what is sent before the connection is up is bounded too") {
  wire l({}, 1, [](connection_config& c, bool) { c.send_buffer = 100'000; });
  const auto id = *l.a.peer.open({.label = "x"}, l.now);
  std::size_t accepted = 0;
  while (l.a.peer.send(id, pattern(10'000), true, l.now)) accepted += 10'000;
  CHECK(accepted <= 100'000);
  CHECK(accepted >= 90'000);
  REQUIRE(l.run(5s, [&] { return l.b.count<message>() == accepted / 10'000; }));
}

TEST_CASE("a connection moves while it runs") {
  opened_pair l({.label = "x"});
  auto moved = std::move(l.a.peer);
  l.a.peer = std::move(moved);
  CHECK(l.a.peer.send(l.id, as_bytes("after the move"), false, l.now));
  CHECK(l.run(1s, [&] { return l.b.count<message>() == 1; }));
}

TEST_CASE("bulk data leaves in batches of equal datagrams within the MTU") {
  opened_pair l({.label = "x"}, path_quality{.delay = 1ms});
  const auto datagrams = l.a.datagrams, segments = l.a.segments;
  std::size_t largest = 0;
  l.a.filter = [&](byte_view d) {
    largest = std::max(largest, d.size());
    return true;
  };
  int sent = 0;
  REQUIRE(l.run(10s, [&] {
    while (sent < 50 && l.a.peer.send(l.id, pattern(65'536), true, l.now)) ++sent;
    return l.b.count<message>() == 50;
  }));
  CHECK(largest <= 1'200);
  CHECK(largest >= 1'190);
  CHECK((l.a.segments - segments) >= 10 * (l.a.datagrams - datagrams));
}

TEST_CASE("a peer that sends, ends and leaves is read to the end, however slowly") {
  opened_pair l({.label = "x"}, path_quality{.delay = 1ms});
  l.b.peer.pause(l.now);
  unsigned sent = 0;
  REQUIRE(l.run(10s, [&] {
    while (sent < 10 && l.a.peer.send(l.id, pattern(50'000, sent), true, l.now)) ++sent;
    return sent == 10 && l.a.peer.buffered(l.id) == 0;  // the peer's SCTP has it all
  }));
  l.a.peer.shutdown(l.now);
  REQUIRE(l.run(10s, [&] { return l.a.count<closed>() == 1; }));
  l.a.filter = l.b.filter = [](byte_view) { return false; };  // gone for good
  l.run(1h);
  CHECK(l.b.peer.ended_by_peer());
  CHECK(l.b.count<message>() == 0);
  CHECK(l.b.count<closed>() + l.b.count<failed>() == 0);
  CHECK_FALSE(l.b.peer.send(l.id, as_bytes("to nobody"), true, l.now));
  l.b.peer.resume(l.now);
  REQUIRE(l.run(1s, [&] { return l.b.count<closed>() == 1; }));
  const auto got = l.b.all<message>();
  REQUIRE(got.size() == 10);
  for (unsigned i = 0; i < 10; ++i) CHECK(got[i].data == pattern(50'000, i));
  CHECK(std::holds_alternative<closed>(l.b.events.back()));
}

TEST_CASE("a reader that stops and goes gets all of what a leaving peer sent") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    seeded_random random(seed);
    opened_pair l({.label = "x"}, path_quality{.delay = 1ms, .jitter = 500us}, seed);
    unsigned sent = 0;
    bool paused = false, left = false;
    const auto toggle = [&] {
      if (random_below(random, 8) != 0) return;
      paused = !paused;
      paused ? l.b.peer.pause(l.now) : l.b.peer.resume(l.now);
    };
    REQUIRE(l.run(60s, [&] {
      toggle();
      while (sent < 30 && l.a.peer.send(l.id, pattern(65'536, sent), true, l.now)) ++sent;
      if (sent == 30 && l.a.peer.send(l.id, {}, true, l.now)) ++sent;
      if (sent == 31 && l.a.peer.buffered(l.id) == 0 && !std::exchange(left, true)) {
        l.a.peer.shutdown(l.now);
      }
      return l.a.count<closed>() == 1;
    }));
    l.a.filter = l.b.filter = [](byte_view) { return false; };
    l.run(60s, [&] {
      toggle();
      l.exchange();
      return l.b.count<closed>() == 1;
    });
    REQUIRE(l.b.count<closed>() == 1);
    const auto got = l.b.all<message>();
    REQUIRE(got.size() == 31);
    for (unsigned i = 0; i < 30; ++i) CHECK(got[i].data == pattern(65'536, i));
  }
}
