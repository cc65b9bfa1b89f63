// Who may ask: RFC 8489, 9.2.4, stateless nonces, TURN REST, and what strangers get.

#include <algorithm>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/turn/nonce.hpp"
#include "tests/stun/turn/server_harness.hpp"

using namespace nat;
using namespace nat::test;

namespace {

const path client = server_harness::from(5000);

// A signed Allocate with every part open to change.
struct parts {
  std::string user = "quiet-otter", realm = "rendezvous", password = "secret";
  std::optional<std::string> nonce = std::nullopt;
  bool with_user = true, with_realm = true, with_nonce = true, sha256 = false, userhash = false;
  std::optional<stun::password_algorithm> algorithm = std::nullopt;
  bytes algorithms = to_bytes(stun::offered_algorithms());
};

bytes build(server_harness& h, const parts& p) {
  std::array<std::byte, 512> buffer;
  stun::message_writer w(buffer, {method::allocate, stun::kind::request},
                         stun::make_transaction_id(h.random));
  w.put<attr::requested_transport>(17);
  if (p.with_user && p.userhash) {
    w.put<attr::userhash>(stun::make_userhash(p.user, p.realm));
  } else if (p.with_user) {
    w.put<attr::username>(p.user);
  }
  if (p.with_realm) w.put<attr::realm>(p.realm);
  if (p.with_nonce) w.put<attr::nonce>(p.nonce.value_or(h.nonce));
  if (p.algorithm) {
    w.put<attr::password_algorithms>(p.algorithms).put<attr::password_algorithm>(*p.algorithm);
  }
  const auto key = stun::make_long_term_key(p.algorithm.value_or(stun::password_algorithm::md5),
                                            p.user, p.realm, p.password);
  return to_bytes(
      *w.finish_signed(key.view(), p.sha256 ? stun::integrity::sha256 : stun::integrity::sha1));
}

int code_of(server_harness& h, const parts& p) {
  const auto got = h.exchange(client, build(h, p));
  REQUIRE(got);
  return got->success ? 0 : got->code;
}

}  // namespace

TEST_CASE_FIXTURE(server_harness,
                  "a stranger gets realm, nonce and algorithms, and makes no state") {
  const auto got = challenge(client);
  CHECK(got.view().get<attr::realm>() == "rendezvous");
  CHECK(got.view().get<attr::password_algorithms>().has_value());
  CHECK(stun::read_nonce_cookie(nonce) ==
        stun::security_features{.password_algorithms = true, .username_anonymity = false});
  CHECK(server.counters().allocations == 0);
  CHECK(relays.empty());
  CHECK_FALSE(server.next_timeout().has_value());
}

TEST_CASE("hashed names are asked for only where every name is listed: not with TURN REST") {
  auto config = server_harness::default_config();
  config.rest_secret.clear();
  server_harness h(config);
  h.challenge(client);
  CHECK(stun::read_nonce_cookie(h.nonce)->username_anonymity);
}

TEST_CASE_FIXTURE(server_harness, "a challenge is small, and strangers don't get many") {
  const auto got = challenge(client);
  CHECK(got.wire.size() <= 140);
  CHECK_FALSE(got.view().has<attr::software>());
  std::size_t answered = 0;
  for (int i = 0; i < 1000; ++i) {
    std::array<std::byte, 64> buffer;
    stun::message_writer w(buffer, {method::allocate, stun::kind::request},
                           stun::make_transaction_id(random));
    if (exchange(client, *w.finish())) ++answered;
  }
  CHECK(answered <= 100);
  CHECK(server.counters().limited >= 900);
  // Whoever has forged that address keeps nobody from being answered over TCP.
  std::array<std::byte, 64> buffer;
  stun::message_writer w(buffer, {method::allocate, stun::kind::request},
                         stun::make_transaction_id(random));
  CHECK(exchange(from(5000, "203.0.113.5", transport::tcp), *w.finish())->code == 401);
  now += 1s;
  challenge(client);
}

TEST_CASE_FIXTURE(server_harness, "the right password is let in, anything else is not") {
  challenge(client);
  SUBCASE("right") {
    CHECK(code_of(*this, {}) == 0);
  }
  SUBCASE("wrong password") {
    CHECK(code_of(*this, {.password = "guess"}) == 401);
  }
  SUBCASE("unknown user") {
    CHECK(code_of(*this, {.user = "nobody"}) == 401);
  }
  SUBCASE("another realm") {
    CHECK(code_of(*this, {.realm = "elsewhere"}) == 401);
  }
  SUBCASE("no user") {
    CHECK(code_of(*this, {.with_user = false}) == 400);
  }
  SUBCASE("no realm") {
    CHECK(code_of(*this, {.with_realm = false}) == 400);
  }
  SUBCASE("no nonce") {
    CHECK(code_of(*this, {.with_nonce = false}) == 400);
  }
  SUBCASE("a nonce of one's own") {
    CHECK(code_of(*this, {.nonce = "abc"}) == 438);
  }
  SUBCASE("by the hash of the name") {
    CHECK(code_of(*this, {.userhash = true}) == 0);
  }
}

TEST_CASE_FIXTURE(server_harness, "SHA-256: chosen, sealed with, and safe against bid-down") {
  challenge(client);
  const auto sha256 = stun::password_algorithm::sha256;
  SUBCASE("chosen and sealed with") {
    const auto got = exchange(client, build(*this, {.sha256 = true, .algorithm = sha256}));
    REQUIRE(got);
    CHECK(got->success);
    CHECK(got->view().has<attr::message_integrity_sha256>());
    const auto key = stun::make_long_term_key(sha256, user, "rendezvous", password);
    CHECK(got->view().authenticate(key.view()).has_value());
  }
  SUBCASE("chosen, sealed with SHA-1") {
    CHECK(code_of(*this, {.algorithm = sha256}) == 0);
  }
  SUBCASE("a list that somebody has shortened") {
    CHECK(code_of(*this, {.algorithm = stun::password_algorithm::md5,
                          .algorithms = from_hex("0001 0000")}) == 400);
  }
  SUBCASE("an algorithm that nobody offered") {
    CHECK(code_of(*this, {.algorithm = stun::password_algorithm{7}}) == 400);
  }
}

TEST_CASE_FIXTURE(server_harness, "a nonce serves an hour, its client and no other") {
  REQUIRE(allocate(client)->success);
  now += 59min;
  CHECK(permit(client, peer_v4)->code == 437);  // the allocation ended, the nonce did not
  now += 2min;
  const auto stale = permit(client, peer_v4);
  REQUIRE(stale);
  CHECK(stale->code == 438);
  nonce = *stale->view().get<attr::nonce>();
  CHECK(allocate(client)->success);

  const auto elsewhere = from(5000, "203.0.113.6");
  const auto got = exchange(elsewhere, request(method::allocate));
  CHECK(got->code == 438);
}

TEST_CASE("servers that share a key take each other's nonces") {
  auto config = server_harness::default_config();
  config.nonce_key.emplace();
  server_harness one(config), other(config);
  one.challenge(client);
  other.nonce = one.nonce;
  other.challenged = client.remote.ip;
  CHECK(other.allocate(client)->success);
}

TEST_CASE("a nonce's verdict") {
  turn::nonce_key key{};
  const auto ip = *parse_address("203.0.113.5");
  const auto made = turn::make_nonce(key, ip, 1000, {.password_algorithms = true});
  CHECK(turn::check_nonce(key, made.view(), ip, 1000, 60) == turn::nonce_verdict::valid);
  CHECK(turn::check_nonce(key, made.view(), ip, 1059, 60) == turn::nonce_verdict::valid);
  CHECK(turn::check_nonce(key, made.view(), ip, 1060, 60) == turn::nonce_verdict::stale);
  CHECK(turn::check_nonce(key, made.view(), ip, 990, 60) == turn::nonce_verdict::valid);
  // Every character counts, the cookie's features among them.
  for (std::size_t i = 0; i < turn::nonce_size; ++i) {
    auto changed = made;
    changed.text[i] = changed.text[i] == 'A' ? 'B' : 'A';
    CHECK(turn::check_nonce(key, changed.view(), ip, 1000, 60) == turn::nonce_verdict::foreign);
  }
}

TEST_CASE("TURN REST: the password that coturn computes") {
  // printf 1800000600:quiet-otter | openssl dgst -sha1 -hmac mint -binary | base64
  const auto c = turn::mint_rest_credentials("mint", "quiet-otter", 1'800'000'600);
  CHECK(c.username == "1800000600:quiet-otter");
  CHECK(c.password == "0gjjkRk/j79dZl4kF9oDswt/eGA=");
}

TEST_CASE_FIXTURE(server_harness, "TURN REST: until it expires, and its allocation longer") {
  const auto minted = turn::mint_rest_credentials("mint", "anna", start_unix + 300);
  user = minted.username;
  password = minted.password;
  REQUIRE(allocate(client)->success);
  now += 301s;
  CHECK(refresh(client, 600)->success);
  CHECK(allocate(from(5001))->code == 401);
  SUBCASE("another secret's") {
    password = turn::mint_rest_credentials("other", "anna", start_unix + 3000).password;
    user = std::to_string(start_unix + 3000) + ":anna";
    CHECK(allocate(from(5002))->code == 401);
  }
}

TEST_CASE_FIXTURE(server_harness, "an allocation serves its own user only") {
  REQUIRE(allocate(client)->success);
  user = "brisk-heron";
  password = "other";
  CHECK(permit(client, peer_v4)->code == 441);
  CHECK(refresh(client, 0)->code == 441);
  CHECK(server.counters().allocations == 1);
}

TEST_CASE_FIXTURE(server_harness, "an attribute behind MESSAGE-INTEGRITY does not exist") {
  challenge(client);
  // REQUESTED-TRANSPORT stands behind the seal, where anybody could have put it.
  auto wire = request(method::allocate);
  const auto extra = from_hex("0019 0004 11000000");
  REQUIRE(wire.size() > 8);
  wire.resize(wire.size() - 8);  // the fingerprint
  wire.insert(wire.end(), extra.begin(), extra.end());
  wire[3] = static_cast<std::byte>(wire.size() - 20);
  wire[2] = static_cast<std::byte>((wire.size() - 20) >> 8);
  const auto got = exchange(client, wire);
  REQUIRE(got);
  CHECK(got->code == 400);
}

TEST_CASE_FIXTURE(server_harness, "an unknown attribute that must be understood: 420, and which") {
  challenge(client);
  std::array<std::byte, 512> buffer;
  stun::message_writer w(buffer, {method::allocate, stun::kind::request},
                         stun::make_transaction_id(random));
  w.put<attr::requested_transport>(17)
      .put<attr::username>(user)
      .put<attr::realm>("rendezvous")
      .put<attr::nonce>(nonce);
  auto wire = to_bytes(*w.finish());
  store_be(byte_span(wire), 20, std::uint16_t{0x7abc});  // in place of REQUESTED-TRANSPORT
  // Sealed by hand, over the length that includes the seal (RFC 8489, 14.5).
  store_be(byte_span(wire), 2, static_cast<std::uint16_t>(wire.size() - 20 + 24));
  const auto key =
      stun::make_long_term_key(stun::password_algorithm::md5, user, "rendezvous", password);
  const auto seal = crypto::hmac_sha1(key.view(), {wire});
  const auto head = from_hex("0008 0014");
  wire.insert(wire.end(), head.begin(), head.end());
  wire.insert(wire.end(), seal.begin(), seal.end());
  const auto got = exchange(client, wire);
  REQUIRE(got);
  CHECK(got->code == 420);
  CHECK(std::ranges::equal(*got->view().get<attr::unknown_attributes>(), from_hex("7abc")));
}
