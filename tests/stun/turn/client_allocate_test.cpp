// Allocation, credentials, and every answer that a server may give instead.

#include <set>

#include "stun/turn/client_credentials.hpp"
#include "stun/turn/client_errors.hpp"
#include "tests/stun/turn/turn_world.hpp"

using namespace nat;
using namespace nat::test;
using turn::allocated;
using turn::families;
using turn::refused;

TEST_CASE("one challenge, one allocation, two round trips") {
  turn_world w;
  w.run(100ms);
  const auto got = w.all<allocated>();
  REQUIRE(got.size() == 1);
  CHECK(w.events.size() == 1);
  CHECK(got[0].relayed == w.server.relay_v4);
  CHECK(got[0].mapped == w.server.mapped);
  CHECK(got[0].lifetime == 600s);
  CHECK(got[0].rtt == 20ms);
  CHECK(w.client.relayed(true) == w.server.relay_v4);
  CHECK(!w.client.relayed(false));
  REQUIRE(w.server.seen.size() == 2);
  CHECK(!w.server.seen[0].is_signed);
  CHECK(w.server.seen[1].is_signed);
  CHECK(w.server.seen[1].at - time_point{} == 30ms);
  CHECK(!w.server.seen[1].family);
}

TEST_CASE("with await_approval nothing is allocated before the caller says so") {
  auto config = turn_world::config();
  config.await_approval = true;
  turn_world w(config);
  w.run(30s);
  REQUIRE(w.events.size() == 1);
  CHECK(w.has<turn::challenged>());
  CHECK(w.server.seen.size() == 1);
  CHECK(!w.client.next_timeout());
  SUBCASE("approved") {
    w.client.approve(w.now);
    w.client.approve(w.now);
    w.run(1s);
    CHECK(w.has<allocated>());
    CHECK(w.server.seen.size() == 2);
  }
  SUBCASE("a challenge that comes only with the release needs no approval") {
    auto open_config = turn_world::config();
    open_config.await_approval = true;
    turn_world open(open_config, {.open = true});
    open.run(1s);
    REQUIRE(open.has<allocated>());
    open.server.open = false;
    open.client.release(open.now);
    open.run(1s);
    CHECK(open.has<turn::released>());
    CHECK(!open.server.allocated);
  }
  SUBCASE("released instead") {
    w.client.release(w.now);
    w.client.approve(w.now);
    w.run(1s);
    CHECK(w.has<turn::released>());
    CHECK(w.server.seen.size() == 1);
  }
}

TEST_CASE("a server that asks for no credentials") {
  auto config = turn_world::config();
  config.username.clear();
  turn_world w(config, {.open = true});
  w.run(100ms);
  CHECK(w.has<allocated>());
  w.client.permit(*parse_address("192.0.2.5"), w.now);
  w.client.release(w.now);
  w.run(1s);
  CHECK(w.has<turn::released>());
  CHECK(!w.server.allocated);
}

TEST_CASE("credentials asked for and none given") {
  auto config = turn_world::config();
  config.username.clear();
  turn_world w(config);
  w.run(1s);
  REQUIRE(w.has<refused>());
  CHECK(w.all<refused>()[0].code == 401);
  CHECK(w.all<refused>()[0].reason.find("none is given") != std::string::npos);
}

TEST_CASE("a wrong password is refused after one try") {
  auto config = turn_world::config();
  config.password = "wrong";
  turn_world w(config);
  w.run(20s);
  REQUIRE(w.events.size() == 1);
  CHECK(w.all<refused>()[0].code == 401);
  CHECK(w.server.seen.size() == 2);
  CHECK(w.client.finished());
  CHECK(!w.client.next_timeout());
}

TEST_CASE("families: IPv6 alone, both, and both where the server has only IPv4") {
  SUBCASE("IPv6") {
    auto config = turn_world::config();
    config.wanted = families::v6;
    turn_world w(config);
    w.run(1s);
    REQUIRE(w.all<allocated>().size() == 1);
    CHECK(w.all<allocated>()[0].relayed == w.server.relay_v6);
    CHECK(w.server.seen[1].family == std::uint8_t{2});
  }
  SUBCASE("both") {
    auto config = turn_world::config();
    config.wanted = families::both;
    turn_world w(config);
    w.run(1s);
    REQUIRE(w.all<allocated>().size() == 2);
    CHECK(w.client.relayed(true) == w.server.relay_v4);
    CHECK(w.client.relayed(false) == w.server.relay_v6);
    CHECK(w.server.seen[1].additional_family == std::uint8_t{2});
    CHECK(!w.server.seen[1].family);  // RFC 8656, 7.1: never together
  }
  SUBCASE("ADDRESS-ERROR-CODE") {
    auto config = turn_world::config();
    config.wanted = families::both;
    turn_world w(config, {.gives_v6 = false});
    w.run(1s);
    REQUIRE(w.all<allocated>().size() == 1);
    CHECK(!w.client.relayed(false));
    CHECK(!w.client.send(*parse_endpoint("[2001:db8::5]:9"), as_bytes("x"), w.now));
  }
  SUBCASE("440 to both: IPv6 alone is tried") {
    auto config = turn_world::config();
    config.wanted = families::both;
    turn_world w(config);
    w.server.errors[stun::method::allocate] = {440};
    w.run(1s);
    REQUIRE(w.all<allocated>().size() == 1);
    CHECK(w.all<allocated>()[0].relayed == w.server.relay_v6);
  }
}

TEST_CASE("every refusal ends with its code and a text of its own") {
  std::set<std::string> texts;
  for (const int code : {400, 403, 420, 440, 441, 442, 486, 500, 508, 599}) {
    CAPTURE(code);
    turn_world w;
    w.server.errors[stun::method::allocate] = {code};
    w.run(20s);
    REQUIRE(w.events.size() == 1);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == code);
    CHECK(w.all<refused>()[0].reason.find(std::to_string(code)) != std::string::npos);
    CHECK(w.all<refused>()[0].reason.find("as the script says") != std::string::npos);
    texts.insert(w.all<refused>()[0].reason.substr(0, 25));
    CHECK(w.client.finished());
    CHECK(!w.client.next_timeout());
    CHECK(!w.client.send(*parse_endpoint("192.0.2.5:9"), as_bytes("x"), w.now));
  }
  CHECK(texts.size() == 10);
}

TEST_CASE("a server's phrase is cleaned before a person sees it") {
  CHECK(turn::explain(486, "\x1b[2Jquota\r\n\xff") ==
        "this user has as many allocations as the server allows; end others first (486 [2Jquota)");
  CHECK(turn::explain(486, std::string(700, 'x')).size() < 200);
  CHECK(turn::explain(0) == "the server does not answer");
  CHECK(turn::explain(699) == "the server refuses (699)");
}

TEST_CASE("437: a left-over of ours is given back, once") {
  SUBCASE("it was ours") {
    turn_world w;
    w.server.errors[stun::method::allocate] = {437};
    w.run(1s);
    CHECK(w.has<allocated>());
    REQUIRE(w.server.seen.size() == 4);
    CHECK(w.server.seen[2].method == stun::method::refresh);
    CHECK(w.server.seen[2].lifetime == 0U);
    CHECK(w.server.seen[3].answered == 0);
  }
  SUBCASE("it was ours, and the server takes a second to let go") {
    turn_world w;
    w.server.errors[stun::method::allocate] = {437, 437, 437};
    w.run(2s);
    CHECK(w.has<allocated>());
    CHECK(w.server.count(stun::method::refresh) == 1);
    CHECK(w.server.seen.back().at - w.server.seen[3].at > 1s);
  }
  SUBCASE("told before any challenge, as coturn does") {
    turn_world w;
    w.server.unsigned_error = 437;
    w.run(1s);
    CHECK(w.has<allocated>());
    REQUIRE(w.server.seen.size() == 4);
    CHECK(w.server.seen[1].method == stun::method::refresh);
    CHECK(!w.server.seen[1].is_signed);
    CHECK(w.server.seen[2].is_signed);
  }
  SUBCASE("it never lets go") {
    turn_world w;
    w.server.errors[stun::method::allocate] = std::deque<int>(20, 437);
    w.run(60s);
    REQUIRE(w.events.size() == 1);
    CHECK(w.all<refused>()[0].code == 437);
    CHECK(w.server.count(stun::method::allocate) == 6);
  }
  SUBCASE("released while it waits") {
    turn_world w;
    w.server.errors[stun::method::allocate] = {437, 437};
    w.run(300ms);
    w.client.release(w.now);
    w.run(2s);
    CHECK(w.has<turn::released>());
    CHECK(!w.server.allocated);
  }
  SUBCASE("it was not") {
    turn_world w;
    w.server.errors[stun::method::allocate] = {437, 437};
    w.server.errors[stun::method::refresh] = {441};
    w.run(1s);
    REQUIRE(w.events.size() == 1);
    CHECK(w.all<refused>()[0].code == 437);
    CHECK(w.server.count(stun::method::allocate) == 3);
  }
}

TEST_CASE("420 to a wish for DONT-FRAGMENT: asked again without") {
  auto config = turn_world::config();
  config.dont_fragment = true;
  turn_world w(config);
  w.server.errors[stun::method::allocate] = {420};
  w.run(1s);
  CHECK(w.has<allocated>());
  CHECK(w.server.seen[1].dont_fragment);
  CHECK(!w.server.seen[2].dont_fragment);
}

TEST_CASE("438: the request is repeated with the nonce of the answer, but not for ever") {
  SUBCASE("once") {
    turn_world w;
    w.run(5ms);  // the server answers the unsigned request with nonce-1, then changes its mind
    w.run(10ms);
    w.server.nonce = "nonce-2";
    w.run(1s);
    CHECK(w.has<allocated>());
    CHECK(w.server.seen.size() == 3);
    CHECK(w.server.seen[1].answered == 438);
  }
  SUBCASE("always") {
    turn_world w;
    w.server.errors[stun::method::allocate] = {438, 438, 438, 438, 438, 438, 438};
    w.run(60s);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == 438);
    CHECK(w.server.seen.size() == 4);
  }
}

TEST_CASE("300: another server, by address and name") {
  turn_world w;
  w.server.alternate = *parse_endpoint("198.51.100.2:3478");
  w.server.alternate_domain = "turn2.example.org";
  SUBCASE("signed") {
    w.run(1s);
    const auto got = w.all<turn::alternate>();
    REQUIRE(got.size() == 1);
    CHECK(got[0].server == *w.server.alternate);
    CHECK(got[0].domain == "turn2.example.org");
    CHECK(w.client.finished());
  }
  SUBCASE("to itself") {
    w.server.alternate = w.via.remote;
    w.run(1s);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == 300);
  }
  SUBCASE("to nowhere") {
    w.server.alternate = endpoint{};
    w.run(1s);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == 300);
  }
}

TEST_CASE("PASSWORD-ALGORITHMS and USERHASH") {
  const auto both = from_hex("0002 0000 0001 0000"), md5_first = from_hex("0001 0000 0002 0000");
  SUBCASE("SHA-256 and a hidden name, as RFC 8489, 18.1 counts bits") {
    turn_world w(turn_world::config(), {.nonce = "obMatJos2wAAAnonce", .algorithms = both});
    w.run(1s);
    CHECK(w.has<allocated>());
    CHECK(w.server.seen[1].sha256);
    CHECK(w.server.seen[1].userhash);
  }
  SUBCASE("the server's order decides") {
    turn_world w(turn_world::config(), {.nonce = "obMatJos2gAAAnonce", .algorithms = md5_first});
    w.run(1s);
    CHECK(w.has<allocated>());
    CHECK(w.server.seen[1].sha256);
    CHECK(!w.server.seen[1].userhash);
  }
  SUBCASE("a list that was taken out") {
    turn_world w(turn_world::config(),
                 {.nonce = "obMatJos2gAAAnonce", .algorithms = both, .strip = true});
    w.run(20s);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == 401);
    CHECK(w.server.seen.size() == 1);
  }
  SUBCASE("none that is known, and unknown ones before a known one") {
    turn_world none(turn_world::config(), {.algorithms = from_hex("0009 0000")});
    none.run(20s);
    CHECK(none.has<refused>());
    // 0009 has three octets of parameters, padded to four.
    turn::long_term_credentials c("u", "p");
    std::array<std::byte, 256> buffer;
    stun::message_writer out(buffer, {stun::method::allocate, stun::kind::error}, {});
    const auto list = from_hex("0009 0003 aabbcc00 0002 0000");
    const auto wire = out.put<stun::attr::realm>("r")
                          .put<stun::attr::nonce>("n")
                          .put<stun::attr::password_algorithms>(list)
                          .finish();
    REQUIRE(wire);
    REQUIRE(c.take_challenge(*stun::message_view::parse(*wire)));
    CHECK(c.key().secret.size == 32);
  }
}

TEST_CASE("long-term key of RFC 8489, 9.2.2") {
  turn::long_term_credentials c("user", "pass");
  CHECK(!c.ready());
  std::array<std::byte, 256> buffer;
  stun::message_writer out(buffer, {stun::method::allocate, stun::kind::error}, {});
  const auto wire = out.put<stun::attr::realm>("realm").put<stun::attr::nonce>("n").finish();
  REQUIRE(c.take_challenge(*stun::message_view::parse(*wire)));
  // MD5("user:realm:pass"), the example of RFC 5389, 15.4.
  CHECK(to_bytes(c.key().secret.view()) == from_hex("8493fbc53ba582fb4c044c456bdc40eb"));
}

TEST_CASE("a silent server is given up within nine seconds") {
  turn_world w;
  w.lose = [](int, bool) { return true; };
  w.run(9s);
  REQUIRE(w.events.size() == 1);
  CHECK(w.all<refused>()[0].code == 0);
  CHECK(w.packets == 6);
  CHECK(!w.client.next_timeout());
}

TEST_CASE("a server silent on a stream is given up as well, and asked once") {
  turn_world w(turn_world::config(transport::tcp));
  w.lose = [](int, bool) { return true; };
  w.run(9s);
  CHECK(w.has<refused>());
  CHECK(w.packets == 1);
}

TEST_CASE("any one packet may be lost on the way to an allocation with permission and channel") {
  for (int lost = 0; lost < 12; ++lost) {
    CAPTURE(lost);
    turn_world w;
    w.lose = [lost](int number, bool) { return number == lost; };
    const auto peer = *parse_endpoint("192.0.2.5:4000");
    w.client.permit(peer.ip, w.now);
    w.client.bind_channel(peer, w.now);
    w.run(1s);
    REQUIRE(w.has<allocated>());
    CHECK(w.events.size() == 1);
    CHECK(w.client.channel_bound(peer));
    CHECK(w.server.permissions.contains(peer.ip));
  }
}

TEST_CASE("unsigned or wrongly signed answers to signed requests are as if never sent") {
  turn_world w(turn_world::config(), {.sign_errors = false});
  w.server.errors[stun::method::allocate] = {486, 0};
  w.run(2s);
  CHECK(w.has<allocated>());
  CHECK(w.client.counters().unauthenticated == 1);

  turn_world never(turn_world::config(), {.sign_errors = false});
  never.server.errors[stun::method::allocate] = std::deque<int>(10, 486);
  never.run(20s);
  REQUIRE(never.events.size() == 1);
  CHECK(never.all<refused>()[0].code == 0);
  CHECK(never.all<refused>()[0].reason.find("486") != std::string::npos);
}
