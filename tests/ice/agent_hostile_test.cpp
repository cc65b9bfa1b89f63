// Datagrams that others send: malformed, forged, replayed, from elsewhere, too many.

#include "ice/check_message.hpp"
#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/hmac.hpp"
#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

struct fixture {
  wire l;
  path from{transport::udp, at("192.0.2.1:1"), at("203.0.113.66:66")};

  fixture() {
    l.make(l.a, role::controlled);
    l.make(l.b, role::controlling);
    l.know(l.a, host("192.0.2.1:1"));
    l.know(l.b, host("192.0.2.2:1"));
  }
  [[nodiscard]] bytes check(const std::string& username, const std::string& password,
                            role r = role::controlling) {
    return make_check({.id = stun::make_transaction_id(l.random),
                       .username = username,
                       .password = password,
                       .priority = 0x6E00'00FF,
                       .role = r,
                       .tie_breaker = 1,
                       .nomination = 0,
                       .nomination_attribute = false});
  }
  [[nodiscard]] bytes valid_check() {
    return check(l.a.keys.ufrag + ":" + l.b.keys.ufrag, l.a.keys.password);
  }
  bool give(const path& p, const bytes& datagram) {
    const bool ours = l.a.agent->handle_datagram(p, datagram, l.now);
    l.settle();
    return ours;
  }
};

}  // namespace

TEST_CASE("what is not STUN is handed on, what is malformed is counted") {
  fixture f;
  CHECK_FALSE(f.give(f.from, {}));
  CHECK_FALSE(f.give(f.from, bytes(100, std::byte{22})));  // DTLS
  auto check = f.valid_check();
  for (std::size_t size = 20; size < check.size(); ++size) {
    CHECK(f.give(f.from, bytes(check.begin(), check.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  CHECK(f.l.a.agent->counters().malformed == check.size() - 20);
  CHECK(f.l.a.agent->pairs().empty());
  CHECK(f.l.a.sent == 0);
  CHECK_FALSE(f.l.a.agent->is_checked(f.from));
}

TEST_CASE("a check for another agent on the same socket is handed on") {
  fixture f;
  CHECK_FALSE(f.give(f.from, f.check("nobody:" + f.l.b.keys.ufrag, f.l.a.keys.password)));
  CHECK(f.l.a.sent == 0);
}

TEST_CASE("a check without our password: counted, not answered, nothing grows") {
  fixture f;
  f.l.tell_keys(f.l.a);
  for (int n = 0; n < 1000; ++n) {
    auto from = f.from;
    from.remote.port = static_cast<std::uint16_t>(1000 + n);
    CHECK(f.give(
        from, f.check(f.l.a.keys.ufrag + ":" + f.l.b.keys.ufrag, "a password that is not right")));
  }
  CHECK(f.l.a.agent->counters().unauthenticated == 1000);
  CHECK(f.l.a.sent == 0);
  CHECK(f.l.a.agent->pairs().empty());
  CHECK_FALSE(f.l.a.agent->is_checked(f.from));
}

TEST_CASE("a check is answered before the peer's credentials are known, and acted on after") {
  fixture f;
  CHECK(f.give(f.from, f.valid_check()));
  CHECK(f.l.a.sent == 1);
  CHECK(f.l.a.agent->is_checked(f.from));
  CHECK(f.l.a.agent->pairs().empty());
  f.l.tell_keys(f.l.a);
  CHECK(f.l.a.sent == 2);  // the check that it triggers
  REQUIRE(f.l.a.agent->pairs().size() == 1);
  CHECK(f.l.a.agent->pairs()[0].remote.kind == candidate_kind::peer_reflexive);
  CHECK(f.l.a.agent->pairs()[0].remote.priority == 0x6E00'00FF);
}

TEST_CASE("checks that wait are bounded in number and age") {
  fixture f;
  for (int n = 0; n < 100; ++n) {
    auto from = f.from;
    from.remote.port = static_cast<std::uint16_t>(1000 + n);
    CHECK(f.give(from, f.valid_check()));
  }
  CHECK(f.l.a.sent == 100);
  CHECK(f.l.a.agent->counters().limited == 100 - 32);
  auto first = f.from;
  first.remote.port = 1000;
  CHECK(f.l.a.agent->is_checked(first));
  f.l.run_for(31s);
  CHECK_FALSE(f.l.a.agent->is_checked(first));
  f.l.tell_keys(f.l.a);
  CHECK(f.l.a.agent->pairs().empty());
}

TEST_CASE("a check of another generation of the peer's waits for its credentials") {
  fixture f;
  f.l.tell_keys(f.l.a);
  CHECK(f.give(f.from, f.check(f.l.a.keys.ufrag + ":next", f.l.a.keys.password)));
  CHECK(f.l.a.sent == 1);
  CHECK(f.l.a.agent->pairs().empty());
}

TEST_CASE("a peer that makes up addresses fills no table beyond its bound") {
  fixture f;
  f.l.tell_keys(f.l.a);
  for (int n = 0; n < 5000; ++n) {
    auto from = f.from;
    from.remote.port = static_cast<std::uint16_t>(1000 + n);
    f.give(from, f.valid_check());
  }
  CHECK(f.l.a.agent->pairs().size() <= 100);
  for (int n = 0; n < 5000; ++n) {
    f.l.a.agent->add_remote(host("198.51.100.1:" + std::to_string(1000 + n)), f.l.now);
  }
  f.l.settle();
  CHECK(f.l.a.agent->pairs().size() <= 100);
  CHECK(f.l.a.agent->counters().limited > 9000);
}

TEST_CASE("what nobody drains is bounded") {
  fixture f;
  f.l.tell_keys(f.l.a);
  const auto check = f.valid_check();
  for (int n = 0; n < 2000; ++n) f.l.a.agent->handle_datagram(f.from, check, f.l.now);
  std::size_t drained = 0;
  while (f.l.a.agent->poll_transmit()) ++drained;
  CHECK(drained == 512);

  // A peer that changes its mind, and a caller that never asks.
  wire m;
  m.make(m.a, role::controlled);
  m.make(m.b, role::controlling);
  m.know(m.a, host("192.0.2.1:1"));
  m.know(m.b, host("192.0.2.2:1"));
  m.b.locals.push_back(host("192.0.2.3:1"));
  m.b.agent->add_local(m.b.locals.back(), m.now);
  m.introduce();
  m.run_for(1s);
  for (std::uint32_t n = 100; n < 1100; ++n) {
    m.a.agent->handle_datagram(
        {transport::udp, at("192.0.2.1:1"), at(n % 2 == 0 ? "192.0.2.2:1" : "192.0.2.3:1")},
        make_check({.id = stun::make_transaction_id(m.random),
                    .username = m.a.keys.ufrag + ":" + m.b.keys.ufrag,
                    .password = m.a.keys.password,
                    .priority = 1,
                    .role = role::controlling,
                    .tie_breaker = 1,
                    .nomination = n,
                    .nomination_attribute = true}),
        m.now);
  }
  std::size_t events = 0;
  std::optional<event> last;
  while (auto e = m.a.agent->poll_event()) {
    last = e;
    ++events;
  }
  CHECK(events == 64);
  CHECK(std::get<connected>(*last).via == m.a.agent->selected());
}

TEST_CASE("a request with an attribute that must be understood is answered with 420") {
  fixture f;
  f.l.tell_keys(f.l.a);
  // EVEN-PORT means nothing to a check, but it is known; 0x7FF1 is not.
  const auto name = f.l.a.keys.ufrag + ":" + f.l.b.keys.ufrag;
  auto signed_with = [&](std::uint16_t type) {
    std::array<std::byte, 512> room;
    stun::message_writer out(room, stun::binding_request, stun::make_transaction_id(f.l.random));
    out.put<stun::attr::even_port>(true).put<stun::attr::username>(name);
    auto message = to_bytes(*out.finish());
    store_be(message, stun::header_size, type);
    const auto sized = static_cast<std::uint16_t>(message.size() - stun::header_size + 24);
    store_be(message, 2, sized);
    const auto digest = crypto::hmac_sha1(as_bytes(f.l.a.keys.password), {message});
    for (const int octet : {0x00, 0x08, 0x00, 0x14}) message.push_back(std::byte(octet));
    message.insert(message.end(), digest.begin(), digest.end());
    return message;
  };
  bytes answer;
  f.l.passes = [&](const site&, const transmit& t) {
    answer = t.data;
    return false;
  };
  CHECK(f.give(f.from, signed_with(0x7FF1)));
  const auto view = stun::message_view::parse(answer);
  REQUIRE(view);
  CHECK(view->get<stun::attr::error_code>()->code == 420);
  CHECK(f.l.a.agent->pairs().empty());
  CHECK(f.give(f.from, signed_with(stun::attr::even_port::type)));
  CHECK(f.l.a.agent->pairs().size() == 1);
}

TEST_CASE("answers that are forged, replayed or to nothing") {
  fixture f;
  f.l.tell_keys(f.l.a);
  bytes sent;
  f.l.passes = [&](const site& from, const transmit& t) {
    if (&from == &f.l.a) sent = t.data;
    return false;
  };
  f.l.tell(f.l.a, f.l.b.locals[0]);
  const auto request = stun::message_view::parse(sent);
  REQUIRE(request);
  const path back{transport::udp, at("192.0.2.1:1"), at("192.0.2.2:1")};

  SUBCASE("signed with another password") {
    CHECK(f.give(back, make_success(request->id(), at("192.0.2.1:1"), "not the peer's password")));
    CHECK(f.l.a.agent->counters().unauthenticated == 1);
    CHECK_FALSE(f.l.a.is_connected());
  }
  SUBCASE("an error that is not signed changes nothing") {
    std::array<std::byte, 128> room;
    stun::message_writer out(room, stun::binding_error, request->id());
    out.put<stun::attr::error_code>({487, ""});
    CHECK(f.give(back, to_bytes(*out.finish())));
    CHECK(f.l.a.agent->role() == role::controlled);
  }
  SUBCASE("to a check that nobody sent") {
    CHECK_FALSE(f.give(back, make_success(stun::make_transaction_id(f.l.random), at("192.0.2.1:1"),
                                          f.l.b.keys.password)));
  }
  SUBCASE("from elsewhere: the pair fails, RFC 8445, 7.2.5.2.1") {
    const auto good = make_success(request->id(), at("192.0.2.1:1"), f.l.b.keys.password);
    CHECK(f.give(f.from, good));
    CHECK_FALSE(f.l.a.is_connected());
    CHECK(f.l.a.agent->pairs().at(0).state == pair_state::failed);
    CHECK_FALSE(f.l.a.agent->is_checked(f.from));
  }
  SUBCASE("once it counts, twice it does not") {
    const auto good = make_success(request->id(), at("192.0.2.1:1"), f.l.b.keys.password);
    CHECK(f.give(back, good));
    CHECK(f.l.a.is_connected());
    CHECK(f.give(back, good));
    CHECK(f.l.a.agent->pairs().at(0).responses_received == 1);
    CHECK(f.l.a.agent->counters().unexpected == 1);
    // From elsewhere it does not take a path away that works.
    CHECK(f.give(f.from, good));
    CHECK(f.l.a.agent->pairs().at(0).state == pair_state::succeeded);
  }
  SUBCASE("an answer that was kept back does not keep consent alive") {
    const auto good = make_success(request->id(), at("192.0.2.1:1"), f.l.b.keys.password);
    CHECK(f.give(back, good));
    while (f.l.elapsed() < 60s) {
      f.give(back, good);
      f.l.run_for(1s);
    }
    CHECK(f.l.a.count_failed() == 1);
  }
}

TEST_CASE("the peer's address, as its answer tells it, names our peer-reflexive candidate") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.know(l.a, host("10.0.0.1:1000"));
  l.know(l.b, host("203.0.113.2:1000"));
  l.a.outside[at("10.0.0.1:1000")] = at("198.51.100.9:7777");  // no STUN server told us
  l.a.locals.push_back(reflexive("198.51.100.9:7777", "10.0.0.1:1000"));
  l.tell_keys(l.a);
  l.tell_keys(l.b);
  l.tell(l.a, l.b.locals[0]);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  const auto& mine = l.a.paths.front().second.local;
  CHECK(mine.kind == candidate_kind::peer_reflexive);
  CHECK(mine.address == at("198.51.100.9:7777"));
  CHECK(mine.base == at("10.0.0.1:1000"));
  const auto& theirs = l.b.paths.front().second.remote;
  CHECK(theirs.kind == candidate_kind::peer_reflexive);
  CHECK(theirs.address == at("198.51.100.9:7777"));
  // Signalled later, it is what the peer says, and no second pair.
  const auto pairs = l.b.agent->pairs().size();
  l.tell(l.b, l.a.locals.back());
  CHECK(l.b.agent->pairs().size() == pairs);
  CHECK(l.b.agent->pairs().at(0).remote.kind == candidate_kind::server_reflexive);
}

TEST_CASE("a relay that is met before it is told is called a relay") {
  wire l;
  l.make(l.a, role::controlling);
  l.make(l.b, role::controlled);
  l.know(l.a, relayed("192.0.2.9:5000"));
  l.know(l.b, host("203.0.113.2:1000"));
  l.tell_keys(l.a);
  l.tell_keys(l.b);
  l.tell(l.a, l.b.locals[0]);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.b.paths.front().second.remote.kind == candidate_kind::relayed);
  l.run_for(1s);
  const auto paths = l.b.paths.size();
  l.tell(l.b, l.a.locals[0]);
  CHECK(l.b.paths.size() == paths);  // nothing new
}

TEST_CASE("a peer that sends the RFC's PRIORITY from its relay looks direct until it tells") {
  wire l;
  l.make(l.a, role::controlled);
  l.make(l.b, role::controlling);
  l.know(l.a, host("203.0.113.2:1000"));
  l.know(l.b, host("192.0.2.9:5000"));
  l.tell_keys(l.a);
  l.tell_keys(l.b);
  l.tell(l.b, l.a.locals[0]);
  REQUIRE(l.run_until([&] { return l.both_connected(); }, 1s));
  CHECK(l.a.paths.front().second.remote.kind == candidate_kind::peer_reflexive);
  l.tell(l.a, relayed("192.0.2.9:5000"));
  CHECK(l.a.paths.back().second.remote.kind == candidate_kind::relayed);
}

TEST_CASE("credentials that break the rules are not taken") {
  fixture f;
  f.l.a.agent->set_remote({"abc", std::string(22, 'p')}, f.l.now);
  f.l.a.agent->set_remote({std::string(300, 'u'), std::string(22, 'p')}, f.l.now);
  CHECK(f.l.a.agent->counters().malformed == 2);
  f.l.tell(f.l.a, f.l.b.locals[0]);
  CHECK(f.l.a.sent == 0);
}

TEST_CASE("candidates that name no place are not sent to") {
  fixture f;
  f.l.tell_keys(f.l.a);
  for (const auto* bad : {"0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "192.0.2.2:0"}) {
    f.l.a.agent->add_remote(host(bad), f.l.now);
  }
  f.l.run_for(1s);
  CHECK(f.l.a.sent == 0);
  CHECK(f.l.a.agent->counters().malformed == 4);
}
