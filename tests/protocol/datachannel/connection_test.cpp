#include "tests/check.hpp"

#include <algorithm>

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
