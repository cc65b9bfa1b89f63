// Tables of candidates and of checks that came early; which candidates pair.

#include "ice/early_checks.hpp"
#include "ice/pairing.hpp"
#include "ice/remote_candidates.hpp"
#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

const time_point t0{1h};

door door_of(const candidate& c) {
  local_candidates locals(4);
  locals.add(c, t0);
  return locals.doors()[0];
}

pair pair_of(const candidate& l, const candidate& r) {
  seeded_random random;
  return {{l.proto, l.base, r.address}, l, r, 0, random};
}

}  // namespace

TEST_CASE("local candidates that share a base are one door") {
  local_candidates locals(8);
  using enum local_candidates::result;
  CHECK(locals.add(host("10.0.0.1:1000"), t0) == new_door);
  CHECK(locals.add(reflexive("198.51.100.1:1000", "10.0.0.1:1000"), t0 + 1s) == added_to_door);
  CHECK(locals.add(reflexive("198.51.100.1:1000", "10.0.0.1:1000"), t0 + 2s) == known);
  CHECK(locals.add(relayed("192.0.2.9:5000"), t0) == new_door);
  REQUIRE(locals.doors().size() == 2);
  const auto* d = locals.find(transport::udp, at("10.0.0.1:1000"));
  REQUIRE(d != nullptr);
  CHECK(d->best.kind == candidate_kind::host);
  CHECK(d->mapped);
  CHECK(d->announced == t0 + 1s);
  CHECK_FALSE(d->relayed);
  CHECK(locals.find(transport::udp, at("192.0.2.9:5000"))->relayed);
  CHECK(locals.find(transport::tcp, at("10.0.0.1:1000")) == nullptr);
  CHECK(locals.remove(at("10.0.0.1:1000")));
  CHECK_FALSE(locals.remove(at("10.0.0.1:1000")));
  CHECK(locals.doors().size() == 1);
}

TEST_CASE("local candidates are bounded") {
  local_candidates locals(2);
  locals.add(host("10.0.0.1:1000"), t0);
  locals.add(host("10.0.0.1:1001"), t0);
  CHECK(locals.add(host("10.0.0.1:1002"), t0) == local_candidates::result::refused);
  CHECK(locals.doors().size() == 2);
}

TEST_CASE("the candidate that the peer sees, RFC 8445, 7.2.5.3.1") {
  local_candidates locals(8);
  const auto base = host("10.0.0.1:1000");
  const auto mapped = reflexive("198.51.100.1:1000", "10.0.0.1:1000");
  locals.add(base, t0);
  locals.add(mapped, t0);
  CHECK(locals.seen_as(base, base.address, 5) == base);
  CHECK(locals.seen_as(base, mapped.address, 5) == mapped);
  const auto learned = locals.seen_as(base, at("198.51.100.1:7777"), 5);
  CHECK(learned.kind == candidate_kind::peer_reflexive);
  CHECK(learned.address == at("198.51.100.1:7777"));
  CHECK(learned.base == base.base);
  CHECK(learned.priority == 5);
}

TEST_CASE("a TCP connection's local port is not the door's") {
  local_candidates locals(8);
  auto tcp = host("10.0.0.1:9");
  tcp.proto = transport::tcp;
  locals.add(tcp, t0);
  CHECK(locals.find(transport::tcp, at("10.0.0.1:40000")) != nullptr);
  CHECK(locals.find(transport::tcp, at("10.0.0.2:40000")) == nullptr);
}

TEST_CASE("a peer-reflexive remote candidate becomes what the peer says it is") {
  remote_candidates remotes(4);
  auto learned = host("203.0.113.2:2000");
  learned.kind = candidate_kind::peer_reflexive;
  const auto told = relayed("203.0.113.2:2000");
  using enum remote_candidates::result;
  CHECK(remotes.add(learned) == added);
  CHECK(remotes.add(learned) == known);
  CHECK(remotes.add(told) == updated);
  CHECK(remotes.add(learned) == known);
  CHECK(remotes.add(host("203.0.113.2:2000")) == known);
  REQUIRE(remotes.all().size() == 1);
  CHECK(remotes.all()[0].kind == candidate_kind::relayed);
}

TEST_CASE("a full table of remote candidates gives up one of the most numerous kind") {
  remote_candidates remotes(4);
  remotes.add(host("10.0.0.1:1", 3));
  remotes.add(host("10.0.0.2:1", 2));
  remotes.add(host("10.0.0.3:1", 1));
  remotes.add(relayed("192.0.2.9:5000"));
  CHECK(remotes.add(host("10.0.0.4:1")) == remote_candidates::result::refused);
  CHECK_FALSE(remotes.evict([](const candidate&) { return false; }));
  const auto gone = remotes.evict([](const candidate&) { return true; });
  REQUIRE(gone);
  CHECK(gone->address == at("10.0.0.3:1"));
  const auto next = remotes.evict([](const candidate& c) { return c.address.port == 5000; });
  REQUIRE(next);
  CHECK(next->kind == candidate_kind::relayed);
  CHECK(remotes.all().size() == 2);
}

TEST_CASE("checks that come before the credentials: one a path, bounded, with an age") {
  early_checks early(2);
  const path one{transport::udp, at("10.0.0.1:1"), at("10.0.0.2:2")};
  const path two{transport::udp, at("10.0.0.1:1"), at("10.0.0.3:3")};
  const path three{transport::udp, at("10.0.0.1:1"), at("10.0.0.4:4")};
  incoming_check nominating;
  nominating.use_candidate = true;
  nominating.nomination = 4;
  CHECK(early.add({one, "peer", nominating, t0}));
  CHECK(early.add({one, "peer", {}, t0 + 1s}));  // a retransmission does not take it back
  CHECK(early.add({two, "peer", {}, t0 + 2s}));
  CHECK_FALSE(early.add({three, "peer", {}, t0 + 3s}));
  CHECK(early.knows(one));
  CHECK_FALSE(early.knows(three));
  CHECK(early.oldest() == t0 + 1s);
  auto taken = early.take([&](const early_check& c) { return c.from == one; });
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].what.use_candidate);
  CHECK(taken[0].what.nomination == 4);
  early.expire(t0 + 1s);
  CHECK(early.knows(two));
  early.expire(t0 + 2s);
  CHECK_FALSE(early.knows(two));
  CHECK_FALSE(early.oldest());
}

TEST_CASE("pairs that can't work are not made") {
  const auto v4 = host("10.0.0.1:1");
  const auto v6 = host("[2001:db8::1]:1");
  auto tcp = host("10.0.0.2:1");
  tcp.proto = transport::tcp;
  CHECK(can_pair(door_of(v4), host("10.0.0.2:1")));
  CHECK_FALSE(can_pair(door_of(v4), v6));
  CHECK_FALSE(can_pair(door_of(v4), tcp));
  CHECK(can_pair(door_of(host("127.0.0.1:1")), host("127.0.0.1:2")));
  CHECK_FALSE(can_pair(door_of(host("127.0.0.1:1")), host("10.0.0.2:1")));
  CHECK_FALSE(can_pair(door_of(v4), host("127.0.0.1:2")));
}

TEST_CASE("a public relay is never asked for private, loopback or link-local peers") {
  const auto relay = door_of(relayed("192.0.2.9:5000"));
  CHECK(can_pair(relay, host("203.0.113.1:1")));
  for (const auto* inner : {"10.0.0.1:1", "172.17.0.1:1", "192.168.1.1:1", "100.64.0.1:1",
                            "127.0.0.1:1", "169.254.1.1:1"}) {
    CAPTURE(inner);
    CHECK_FALSE(can_pair(relay, host(inner)));
  }
  // A relay in the same lab or office.
  CHECK(can_pair(door_of(relayed("10.0.0.9:5000")), host("10.0.0.1:1")));
}

TEST_CASE("TCP ends meet as RFC 6544, 6.2 says") {
  const auto make = [](tcp_type t) {
    auto c = host("10.0.0.1:1");
    c.proto = transport::tcp;
    c.tcp = t;
    return c;
  };
  using enum tcp_type;
  CHECK(can_pair(door_of(make(active)), make(passive)));
  CHECK(can_pair(door_of(make(simultaneous_open)), make(simultaneous_open)));
  CHECK_FALSE(can_pair(door_of(make(active)), make(active)));
  CHECK_FALSE(can_pair(door_of(make(passive)), make(active)));
  CHECK_FALSE(can_pair(door_of(make(active)), make(simultaneous_open)));
}

TEST_CASE("addresses that name no place are refused") {
  CHECK(is_usable(at("10.0.0.1:1")));
  for (const auto* bad : {"10.0.0.1:0", "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1",
                          "169.254.0.1:1", "[::]:1", "[ff02::1]:1", "[fe80::1]:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_usable(at(bad)));
  }
}

TEST_CASE("the likelier pair of a class comes first, then the priority") {
  const auto here = host("192.168.1.10:1");
  const auto near = promise_of(pair_of(here, host("192.168.1.20:1")), false);
  const auto far = promise_of(pair_of(here, host("10.1.2.3:1")), false);
  const auto own = promise_of(pair_of(host("172.17.0.1:1"), host("172.17.0.1:2")), false);
  const auto there = reflexive("203.0.113.1:1", "203.0.113.1:1");
  const auto proven = promise_of(pair_of(here, there), true);
  const auto unproven = promise_of(pair_of(here, there), false);
  CHECK(near > far);
  CHECK(far > own);
  CHECK(proven > unproven);
  // Two agents on one machine over loopback are no coincidence of names.
  CHECK(promise_of(pair_of(host("127.0.0.1:1"), host("127.0.0.1:2")), false) > own);
}

TEST_CASE("a relay's checks don't make the peer take it for a direct path") {
  const auto relay = relayed("192.0.2.9:5000");
  const auto direct = host("192.0.2.1:1");
  CHECK((check_priority(direct) >> 24) == 110);
  CHECK((check_priority(direct) & 0xFFFFFF) == (direct.priority & 0xFFFFFF));
  auto learned = host("192.0.2.9:5000");
  learned.kind = candidate_kind::peer_reflexive;
  learned.priority = check_priority(relay);
  CHECK(relays_of(pair_of(direct, learned)) == 1);
  learned.priority = check_priority(direct);
  CHECK(relays_of(pair_of(direct, learned)) == 0);
  CHECK(relays_of(pair_of(relay, relayed("192.0.2.8:1"))) == 2);
}
