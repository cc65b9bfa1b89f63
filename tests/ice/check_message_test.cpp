#include "ice/check_message.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::ice;

namespace {

const std::string_view password = "a password of 22 chars";

stun::message_view view(const bytes& message) {
  const auto parsed = stun::message_view::parse(message);
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace

TEST_CASE("a check carries what RFC 8445, 7.1 asks for, and reads back") {
  test::seeded_random random;
  const auto id = stun::make_transaction_id(random);
  const auto sent = make_check({.id = id,
                                .username = "them:us",
                                .password = password,
                                .priority = 0x6E00'FFFF,
                                .role = role::controlling,
                                .tie_breaker = 0x0102'0304'0506'0708,
                                .nomination = 9,
                                .nomination_attribute = true});
  const auto message = view(sent);
  CHECK(message.type() == stun::binding_request);
  CHECK(message.id() == id);
  CHECK(message.has<stun::attr::fingerprint>());
  const auto name = read_username(message);
  REQUIRE(name);
  CHECK(name->ours == "them");
  CHECK(name->theirs == "us");
  CHECK_FALSE(message.authenticate(as_bytes("another password, 22+")).has_value());
  const auto verified = message.authenticate(as_bytes(password));
  REQUIRE(verified);
  const auto check = read_check(*verified);
  CHECK(check.role == role::controlling);
  CHECK(check.tie_breaker == 0x0102'0304'0506'0708);
  CHECK(check.priority == 0x6E00'FFFF);
  CHECK(check.use_candidate);
  CHECK(check.nomination == 9);
}

TEST_CASE("a check that does not nominate says nothing of it") {
  test::seeded_random random;
  const auto sent = make_check({.id = stun::make_transaction_id(random),
                                .username = "them:us",
                                .password = password,
                                .role = role::controlled,
                                .nomination_attribute = true});
  const auto check = read_check(*view(sent).authenticate(as_bytes(password)));
  CHECK(check.role == role::controlled);
  CHECK_FALSE(check.use_candidate);
  CHECK_FALSE(check.nomination);
}

TEST_CASE("the nomination attribute alone nominates, as libwebrtc sends it") {
  test::seeded_random random;
  std::array<std::byte, 256> room;
  stun::message_writer out(room, stun::binding_request, stun::make_transaction_id(random));
  out.put<stun::attr::username>("a:b").put<stun::attr::nomination>(3);
  const auto sent = to_bytes(*out.finish_signed(as_bytes(password)));
  const auto check = read_check(*view(sent).authenticate(as_bytes(password)));
  CHECK(check.use_candidate);
  CHECK(check.nomination == 3);
  CHECK_FALSE(check.role);
  CHECK_FALSE(check.priority);
}

TEST_CASE("the longest names that are allowed fit") {
  test::seeded_random random;
  const std::string name = std::string(256, 'u') + ":" + std::string(256, 'v');
  const auto sent = make_check({.id = stun::make_transaction_id(random),
                                .username = name,
                                .password = password,
                                .nomination = 1,
                                .nomination_attribute = true});
  CHECK(read_username(view(sent))->theirs == std::string(256, 'v'));
}

TEST_CASE("a name without a colon is not one of ours") {
  test::seeded_random random;
  std::array<std::byte, 256> room;
  stun::message_writer out(room, stun::binding_request, stun::make_transaction_id(random));
  out.put<stun::attr::username>("nobody");
  const auto sent = to_bytes(*out.finish());
  CHECK_FALSE(read_username(view(sent)));
}

TEST_CASE("answers are signed and say what they must") {
  test::seeded_random random;
  const auto id = stun::make_transaction_id(random);
  const auto from = *parse_endpoint("[2001:db8::1]:4000");
  const auto yes = make_success(id, from, password);
  CHECK(view(yes).type() == stun::binding_success);
  CHECK(view(yes).get<stun::attr::xor_mapped_address>() == from);
  CHECK(view(yes).authenticate(as_bytes(password)));

  const auto conflict = make_role_conflict(id, password);
  CHECK(view(conflict).get<stun::attr::error_code>()->code == 487);
  CHECK(view(conflict).authenticate(as_bytes(password)));

  // A request with a required attribute that nobody knows: 420 names it.
  const auto request =
      test::from_hex("0001 000C 2112A442 0102030405060708090A0B0C 7FFF 0002 AABB 0000 7FFE 0000");
  const auto unknown = make_unknown_attribute(view(request), password);
  CHECK(view(unknown).get<stun::attr::error_code>()->code == 420);
  const auto listed = view(unknown).get<stun::attr::unknown_attributes>();
  REQUIRE(listed);
  CHECK(to_bytes(*listed) == test::from_hex("7FFF 7FFE"));
}
