// RFC 5769: each vector read, verified, and written again to the same bytes.

#include "tests/vectors/rfc5769.hpp"

#include <algorithm>
#include <array>

#include "protocol/crypto/hmac.hpp"
#include "stun/message.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::stun;
using nat::test::from_hex;
namespace vectors = nat::test::rfc5769;

namespace {

message_view read(const bytes& raw) {
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  return *view;
}

}  // namespace

TEST_CASE("RFC 5769, 2.1: sample request") {
  const auto raw = from_hex(vectors::request);
  const auto view = read(raw);
  CHECK(view.type() == binding_request);
  CHECK(std::ranges::equal(view.id().octets, from_hex("b7e7a701bc34d686fa87dfae")));
  CHECK(view.get<attr::software>() == "STUN test client");
  CHECK(view.get<attr::username>() == "evtj:h6vY");
  CHECK(view.get<attr::priority>() == 0x6e0001ff);
  CHECK(view.get<attr::ice_controlled>() == 0x932ff9b151263b36);
  CHECK_FALSE(view.has<attr::use_candidate>());
  CHECK(view.authenticate(as_bytes(vectors::password)));
  CHECK(view.authenticate(as_bytes("wrong")).error() == auth_error::wrong_integrity);
}

TEST_CASE("RFC 5769, 2.2 and 2.3: sample responses") {
  const auto v4 = from_hex(vectors::response_v4);
  CHECK(read(v4).type() == binding_success);
  CHECK(read(v4).get<attr::software>() == "test vector");
  CHECK(read(v4).get<attr::xor_mapped_address>() == parse_endpoint("192.0.2.1:32853"));
  CHECK(read(v4).authenticate(as_bytes(vectors::password)));

  const auto v6 = from_hex(vectors::response_v6);
  CHECK(read(v6).get<attr::xor_mapped_address>() ==
        parse_endpoint("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
  CHECK(read(v6).authenticate(as_bytes(vectors::password)));
}

TEST_CASE("RFC 5769, 2.4: request with long-term authentication, read and written") {
  const auto raw = from_hex(vectors::long_term_request);
  const auto view = read(raw);
  CHECK(view.get<attr::username>() == vectors::long_term_username);
  CHECK(view.get<attr::nonce>() == vectors::long_term_nonce);
  CHECK(view.get<attr::realm>() == vectors::long_term_realm);
  const auto key = crypto::md5({as_bytes(vectors::long_term_username), as_bytes(":"),
                                as_bytes(vectors::long_term_realm), as_bytes(":"),
                                as_bytes(vectors::long_term_password)});
  CHECK(view.authenticate(key));

  std::array<std::byte, 256> room;
  const auto again = message_writer(room, binding_request, view.id())
                         .put<attr::username>(vectors::long_term_username)
                         .put<attr::nonce>(vectors::long_term_nonce)
                         .put<attr::realm>(vectors::long_term_realm)
                         .finish_signed(key, integrity::sha1, false);
  REQUIRE(again);
  CHECK(std::ranges::equal(*again, raw));
}

TEST_CASE("RFC 5769: any octet changed is noticed") {
  for (const auto* vector : {vectors::request, vectors::response_v4, vectors::response_v6}) {
    const auto raw = from_hex(vector);
    for (std::size_t i = 0; i < raw.size(); ++i) {
      auto changed = raw;
      changed[i] ^= std::byte{1};
      CAPTURE(i);
      const auto view = message_view::parse(changed);
      // Where FINGERPRINT's own type changed there is none, and that can be seen.
      const bool renamed = i == raw.size() - 8 || i == raw.size() - 7;
      CHECK(view.has_value() == renamed);
      CHECK_FALSE((view && view->has<attr::fingerprint>()));
    }
  }
  // No FINGERPRINT: what still parses must not authenticate.
  const auto raw = from_hex(vectors::long_term_request);
  const auto key =
      crypto::md5({as_bytes(vectors::long_term_username), as_bytes(":example.org:TheMatrIX")});
  for (std::size_t i = 0; i < raw.size(); ++i) {
    auto changed = raw;
    changed[i] ^= std::byte{1};
    CAPTURE(i);
    const auto view = message_view::parse(changed);
    CHECK_FALSE((view && view->authenticate(key)));
  }
}
