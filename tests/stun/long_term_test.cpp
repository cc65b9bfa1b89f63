// The client's side of RFC 8489, 9.2.5, against challenges made here.

#include "stun/long_term.hpp"

#include <string>

#include "tests/check.hpp"
#include "tests/vectors/rfc5769.hpp"

using namespace nat;
using namespace nat::stun;
using nat::test::from_hex;
using verdict = long_term_session::verdict;

namespace {

constexpr transaction_id some_id{{std::byte{1}}};
constexpr message_type allocate_error{method::allocate, kind::error};
constexpr message_type allocate_request{method::allocate, kind::request};

// What a server says, with all of it optional.
struct challenge {
  int code = 401;
  std::optional<std::string> realm = "example.org", nonce = "n1";
  std::optional<bytes> algorithms = std::nullopt;

  [[nodiscard]] bytes raw() const {
    std::array<std::byte, 2048> room;
    message_writer writer(room, allocate_error, some_id);
    writer.put<attr::error_code>({code, ""});
    if (realm) writer.put<attr::realm>(*realm);
    if (nonce) writer.put<attr::nonce>(*nonce);
    if (algorithms) writer.put<attr::password_algorithms>(*algorithms);
    return to_bytes(*writer.finish());
  }
};

verdict tell(long_term_session& session, const challenge& what, bool was_signed = false) {
  const auto raw = what.raw();
  return session.handle_challenge(*message_view::parse(raw), was_signed);
}

bytes signed_request(const long_term_session& session) {
  std::array<std::byte, 1024> room;
  message_writer writer(room, allocate_request, some_id);
  return to_bytes(*session.finish(writer));
}

}  // namespace

TEST_CASE("a server from before RFC 8489: MD5, SHA-1, USERNAME") {
  long_term_session session("user", "pass");
  CHECK_FALSE(session.ready());
  CHECK(tell(session, {}) == verdict::retry);
  REQUIRE(session.ready());
  const auto raw = signed_request(session);
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  CHECK(view->get<attr::username>() == "user");
  CHECK(view->get<attr::realm>() == "example.org");
  CHECK(view->get<attr::nonce>() == "n1");
  CHECK_FALSE(view->has<attr::password_algorithms>());
  CHECK_FALSE(view->has<attr::password_algorithm>());
  CHECK(view->has<attr::message_integrity>());
  const auto key = make_long_term_key(password_algorithm::md5, "user", "example.org", "pass");
  CHECK(view->authenticate(key.view()));
}

TEST_CASE("SHA-256 and USERHASH where the server offers them") {
  long_term_session session("user", "pass");
  const auto offer = from_hex("0002 0000 0001 0000");
  CHECK(tell(session, {.nonce = "obMatJos2AAADxyz", .algorithms = offer}) == verdict::retry);
  const auto raw = signed_request(session);
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  CHECK_FALSE(view->has<attr::username>());
  CHECK(std::ranges::equal(*view->get<attr::userhash>(), make_userhash("user", "example.org")));
  CHECK(std::ranges::equal(*view->get<attr::password_algorithms>(), offer));
  CHECK(view->get<attr::password_algorithm>() == password_algorithm::sha256);
  CHECK_FALSE(view->has<attr::message_integrity>());
  const auto key = make_long_term_key(password_algorithm::sha256, "user", "example.org", "pass");
  CHECK(view->authenticate(key.view()));
}

TEST_CASE("MD5 chosen from an offer still signs with SHA-256") {
  long_term_session session("user", "pass");
  CHECK(tell(session, {.algorithms = from_hex("0001 0000")}) == verdict::retry);
  const auto raw = signed_request(session);
  const auto view = message_view::parse(raw);
  CHECK(view->get<attr::password_algorithm>() == password_algorithm::md5);
  CHECK(view->has<attr::message_integrity_sha256>());
  CHECK_FALSE(view->has<attr::message_integrity>());
}

TEST_CASE("bid-down: an offer that the nonce promises and the message lacks") {
  long_term_session session("user", "pass");
  CHECK(tell(session, {.nonce = "obMatJos2AAABxyz"}) == verdict::refused);
  CHECK(tell(session, {.code = 438, .nonce = "obMatJos2gAAAxyz"}) == verdict::refused);
  CHECK_FALSE(session.ready());
}

TEST_CASE("wrong credentials are tried once") {
  long_term_session session("user", "wrong");
  CHECK(tell(session, {}, false) == verdict::retry);
  CHECK(tell(session, {}, false) == verdict::retry);  // another request that was under way
  CHECK(tell(session, {.nonce = "n2"}, true) == verdict::refused);
  CHECK(tell(session, {.realm = "other.example", .nonce = "n3"}, true) == verdict::retry);
}

TEST_CASE("438: the next nonce, the same realm, and not for ever") {
  long_term_session session("user", "pass");
  CHECK(tell(session, {}) == verdict::retry);
  for (unsigned i = 0; i < max_challenges; ++i) {
    const auto nonce = "stale" + std::to_string(i);
    CHECK(tell(session, {.code = 438, .realm = {}, .nonce = nonce}, true) == verdict::retry);
    const auto raw = signed_request(session);
    const auto view = message_view::parse(raw);
    CHECK(view->get<attr::nonce>() == nonce);
    CHECK(view->get<attr::realm>() == "example.org");
  }
  CHECK(tell(session, {.code = 438, .nonce = "again"}, true) == verdict::refused);
}

TEST_CASE("401 with ever another realm is not followed for ever") {
  long_term_session session("user", "pass");
  for (unsigned i = 0; i <= max_challenges; ++i) {
    const auto said = tell(session, {.realm = "realm" + std::to_string(i)}, i > 0);
    CHECK(said == verdict::retry);
  }
  CHECK(tell(session, {.realm = "one more"}, true) == verdict::refused);
}

TEST_CASE("438 keeps the algorithm that was chosen") {
  long_term_session session("user", "pass");
  const auto offer = to_bytes(offered_algorithms());
  CHECK(tell(session, {.nonce = "obMatJos2AAABx", .algorithms = offer}) == verdict::retry);
  CHECK(tell(session, {.code = 438, .nonce = "plain"}, true) == verdict::retry);
  const auto raw = signed_request(session);
  CHECK(message_view::parse(raw)->get<attr::password_algorithm>() == password_algorithm::sha256);
}

TEST_CASE("what is no challenge is ignored; an offer of nothing known is refused") {
  long_term_session session("user", "pass");
  CHECK(tell(session, {.nonce = {}}) == verdict::ignore);
  CHECK(tell(session, {.nonce = ""}) == verdict::ignore);
  CHECK(tell(session, {.realm = {}}) == verdict::ignore);
  CHECK(tell(session, {.code = 403}) == verdict::ignore);
  CHECK(tell(session, {.algorithms = from_hex("0099 0000")}) == verdict::refused);
  bytes huge(max_algorithms_size + 4);
  huge[1] = std::byte{2};
  CHECK(tell(session, {.algorithms = huge}) == verdict::refused);
  CHECK_FALSE(session.ready());
}

TEST_CASE("responses: verified, and not believed after a bid-down") {
  long_term_session session("user", "pass");
  CHECK(tell(session, {}) == verdict::retry);
  const auto key = make_long_term_key(password_algorithm::md5, "user", "example.org", "pass");
  std::array<std::byte, 256> room;
  const auto answer = [&](std::string_view nonce, byte_view with) {
    message_writer writer(room, {method::allocate, kind::success}, some_id);
    if (!nonce.empty()) writer.put<attr::nonce>(nonce);
    return *writer.put<attr::lifetime>(600).finish_signed(with, integrity::sha1);
  };
  const auto good = session.authenticate(*message_view::parse(answer("", key.view())));
  REQUIRE(good);
  CHECK(good->get<attr::lifetime>() == 600);
  CHECK_FALSE(session.authenticate(*message_view::parse(answer("", as_bytes("other")))));
  CHECK_FALSE(session.authenticate(*message_view::parse(answer("obMatJos2AAABx", key.view()))));
}
