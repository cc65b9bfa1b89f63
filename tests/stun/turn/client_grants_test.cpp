// Permissions and channels: asked for together, renewed in time, refused one by one.

#include "stun/turn/client_peers.hpp"
#include "tests/stun/turn/turn_world.hpp"

using namespace nat;
using namespace nat::test;
using stun::method;

namespace {

address peer_number(unsigned n) {
  return make_v4(0xC0000200U + n);  // 192.0.2.n
}

}  // namespace

TEST_CASE("permissions wanted before the allocation stands go out in one request") {
  turn_world w;
  for (unsigned n = 1; n <= 5; ++n) w.client.permit(peer_number(n), w.now);
  w.client.permit(peer_number(3), w.now);
  w.client.permit(*parse_address("2001:db8::5"), w.now);  // no relayed address of that family
  w.run(1s);
  REQUIRE(w.server.count(method::create_permission) == 1);
  CHECK(w.server.seen.back().peers.size() == 5);
  CHECK(w.server.seen.back().is_signed);
  CHECK(w.server.permissions.size() == 5);
  CHECK(w.events.size() == 1);
}

TEST_CASE("a peer's address in IPv6 clothes is the IPv4 peer") {
  turn_world w;
  w.client.permit(*parse_address("::ffff:192.0.2.7"), w.now);
  w.run(1s);
  CHECK(w.server.permissions.contains(*parse_address("192.0.2.7")));
}

TEST_CASE("an hour of permissions and channels, never expired, renewed by few requests") {
  auto config = turn_world::config();
  turn_world w(config);
  for (unsigned n = 1; n <= 5; ++n) w.client.permit(peer_number(n), w.now);
  const endpoint bound{peer_number(1), 4000}, plain{peer_number(2), 4000};
  w.client.bind_channel(bound, w.now);
  w.run(1s);
  std::size_t sent = 0;
  for (int minute = 0; minute < 60; ++minute) {
    w.run(60s);
    REQUIRE(w.client.send(bound, as_bytes("channel"), w.now));
    REQUIRE(w.client.send(plain, as_bytes("indication"), w.now));
    sent += 2;
  }
  w.run(1s);
  CHECK(w.server.dropped == 0);
  REQUIRE(w.server.delivered.size() == sent);
  CHECK(w.server.delivered[sent - 2].by_channel);
  CHECK(!w.server.delivered[sent - 1].by_channel);
  CHECK(w.events.size() == 1);
  CHECK(w.server.count(method::create_permission) <= 17);  // 3660 / 240, and the first
  CHECK(w.server.count(method::channel_bind) <= 8);
  CHECK(w.server.count(method::refresh) <= 7);
  std::size_t challenged = 0;
  for (const auto& r : w.server.seen) challenged += r.answered == 401 ? 1 : 0;
  CHECK(challenged == 1);  // the nonce is kept
}

TEST_CASE("a nonce that goes stale in the middle costs one round trip for each request under way") {
  turn_world w;
  w.client.permit(peer_number(1), w.now);
  w.run(1s);
  w.server.nonce = "nonce-2";
  w.run(240s);
  CHECK(w.server.permissions[peer_number(1)] > w.now + 200s);
  CHECK(w.server.count(method::create_permission) == 3);
  CHECK(w.events.size() == 1);
}

TEST_CASE("a server that says 401 where it means 438 is understood once the password was good") {
  turn_world w;
  w.run(1s);
  w.server.errors[method::create_permission] = {401};
  w.client.permit(peer_number(1), w.now);
  w.run(1s);
  CHECK(w.server.permissions.contains(peer_number(1)));
}

TEST_CASE("one forbidden peer among several is found, and the others are let in") {
  turn_world w;
  w.server.forbidden[peer_number(2)] = 403;
  w.server.forbidden[peer_number(4)] = 443;
  for (unsigned n = 1; n <= 5; ++n) w.client.permit(peer_number(n), w.now);
  w.run(1s);
  const auto refusals = w.all<turn::permission_refused>();
  REQUIRE(refusals.size() == 2);
  CHECK(refusals[0].peer == peer_number(2));
  CHECK(refusals[0].code == 403);
  CHECK(refusals[0].reason.find("forbid") != std::string::npos);
  CHECK(refusals[1].peer == peer_number(4));
  CHECK(refusals[1].code == 443);
  CHECK(w.server.permissions.size() == 3);
  CHECK(!w.client.send({peer_number(2), 1}, as_bytes("x"), w.now));
  CHECK(w.client.send({peer_number(1), 1}, as_bytes("x"), w.now));
  // Asked for again later: the server's rules may have changed, or its capacity.
  w.server.forbidden.clear();
  w.client.permit(peer_number(2), w.now);
  w.run(6s);
  CHECK(w.server.permissions.size() == 3);
  w.client.permit(peer_number(2), w.now);
  w.run(1s);
  CHECK(w.server.permissions.size() == 4);
}

TEST_CASE("more peers than fit one request take two") {
  turn_world w;
  for (unsigned n = 1; n <= 30; ++n) w.client.permit(peer_number(n), w.now);
  w.run(1s);
  CHECK(w.server.count(method::create_permission) == 2);
  CHECK(w.server.permissions.size() == 30);
}

TEST_CASE("508 for a permission is an event, and the allocation goes on") {
  turn_world w;
  w.server.errors[method::create_permission] = {508};
  w.client.permit(peer_number(1), w.now);
  w.run(1s);
  REQUIRE(w.has<turn::permission_refused>());
  CHECK(w.all<turn::permission_refused>()[0].code == 508);
  CHECK(!w.client.finished());
}

TEST_CASE("437 to a permission means that the allocation is gone") {
  turn_world w;
  w.run(1s);
  w.server.allocated = false;
  w.client.permit(peer_number(1), w.now);
  w.run(1s);
  REQUIRE(w.has<turn::refused>());
  CHECK(w.all<turn::refused>()[0].code == 437);
}

TEST_CASE("a server that loses renewals for a while is asked on until the permission ends") {
  turn_world w;
  w.client.permit(peer_number(1), w.now);
  w.run(230s);
  const auto silent_until = w.now + 30s;
  w.lose = [&](int, bool) { return w.now < silent_until; };
  w.run(60s);
  CHECK(!w.has<turn::permission_refused>());
  CHECK(w.server.permissions[peer_number(1)] > w.now + 100s);
}

TEST_CASE("limits: the table is bounded, idle peers make room, busy ones do not") {
  auto config = turn_world::config();
  config.max_permissions = 3;
  turn_world w(config);
  for (unsigned n = 1; n <= 3; ++n) w.client.permit(peer_number(n), w.now);
  w.run(1s);
  w.client.permit(peer_number(4), w.now);
  w.run(1s);
  REQUIRE(w.all<turn::permission_refused>().size() == 1);
  CHECK(w.all<turn::permission_refused>()[0].peer == peer_number(4));
  CHECK(w.all<turn::permission_refused>()[0].code == 0);
  CHECK(w.server.permissions.size() == 3);
  w.run(70s);
  CHECK(w.client.send({peer_number(1), 1}, as_bytes("busy"), w.now));
  w.client.permit(peer_number(4), w.now);
  w.run(1s);
  CHECK(w.server.permissions.contains(peer_number(4)));
  CHECK(w.client.send({peer_number(1), 1}, as_bytes("still there"), w.now));
  CHECK(w.all<turn::permission_refused>().size() == 1);
}

TEST_CASE("limits: channels") {
  auto config = turn_world::config();
  config.max_channels = 2;
  turn_world w(config);
  w.run(1s);
  for (unsigned n = 1; n <= 4; ++n) w.client.bind_channel({peer_number(n), 9}, w.now);
  w.run(1s);
  CHECK(w.server.channels.size() == 2);
  CHECK(w.client.channel_bound({peer_number(2), 9}));
  CHECK(!w.client.channel_bound({peer_number(3), 9}));
  CHECK(w.client.send({peer_number(3), 9}, as_bytes("by indication"), w.now));
  for (const auto& [number, bound] : w.server.channels) CHECK(turn::is_channel_number(number));
}

TEST_CASE("channel numbers run out, and are never used twice") {
  turn::peer_table table(1, 100'000);
  std::size_t made = 0;
  while (table.add_channel({peer_number(1), static_cast<std::uint16_t>(made)}) != nullptr) ++made;
  CHECK(made == 0x1000);
  CHECK(table.channels().back().number == turn::last_channel);
}

TEST_CASE("a refused channel leaves the peer to Send indications") {
  turn_world w;
  w.server.errors[method::channel_bind] = {508};
  const endpoint peer{peer_number(1), 9};
  w.client.bind_channel(peer, w.now);
  w.run(1s);
  CHECK(!w.client.channel_bound(peer));
  REQUIRE(w.client.send(peer, as_bytes("x"), w.now));
  w.run(1s);
  REQUIRE(w.server.delivered.size() == 1);
  CHECK(!w.server.delivered[0].by_channel);
}
