#include "stun/message.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "protocol/base/big_endian.hpp"
#include "tests/check.hpp"
#include "tests/vectors/rfc5769.hpp"

using namespace nat;
using namespace nat::stun;
using nat::test::from_hex;

namespace {

constexpr transaction_id some_id{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}};
constexpr std::string_view key = "a key";

parse_error error_of(byte_view raw) {  // also of temporaries: only the error is kept
  const auto view = message_view::parse(raw);
  REQUIRE_FALSE(view);
  return view.error();
}

// A raw header and this body.
bytes message(std::string_view body_hex) {
  auto out = from_hex("0001 0000 2112a442 000102030405060708090a0b");
  const auto body = from_hex(body_hex);
  store_be(byte_span(out), 2, static_cast<std::uint16_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

template <class T>
concept parses = requires(T&& raw) {
  { message_view::parse(std::forward<T>(raw)).value() } -> std::same_as<message_view&&>;
};

}  // namespace

// A view of a temporary's bytes does not compile; of a named one it does.
static_assert(!parses<bytes>);
static_assert(parses<bytes&>);

TEST_CASE("types: the method's bits lie around the class") {
  std::array<std::byte, 20> room;
  for (unsigned method = 0; method <= 0xfff; ++method) {
    for (const auto kind : {kind::request, kind::indication, kind::success, kind::error}) {
      const message_type type{static_cast<stun::method>(method), kind};
      const auto raw = message_writer(room, type, some_id).finish();
      REQUIRE(raw);
      const auto view = message_view::parse(*raw);
      REQUIRE(view);
      CHECK(view->type() == type);
    }
  }
  const auto raw = message_writer(room, {method::allocate, kind::error}, some_id).finish();
  CHECK(load_be<std::uint16_t>(*raw) == 0x0113);
}

TEST_CASE("parse: every truncation and extension of a message is refused") {
  const auto raw = from_hex(nat::test::rfc5769::request);
  CHECK(error_of({}) == parse_error::not_stun);
  for (std::size_t size = 1; size < raw.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of(byte_view(raw).first(size)) == parse_error::truncated);
  }
  auto longer = raw;
  longer.resize(raw.size() + 1);
  CHECK(error_of(longer) == parse_error::bad_length);
}

TEST_CASE("parse: truncation with a length that says so") {
  const auto raw = from_hex(nat::test::rfc5769::request);
  for (std::size_t size = 20; size < raw.size(); ++size) {
    CAPTURE(size);
    auto cut = to_bytes(byte_view(raw).first(size));
    store_be(byte_span(cut), 2, static_cast<std::uint16_t>(size - 20));
    const auto view = message_view::parse(cut);
    if (size % 4 != 0) {
      CHECK(view.error() == parse_error::bad_length);
    } else if (view) {  // cut between attributes: whole only without the FINGERPRINT alone
      const auto password = as_bytes(nat::test::rfc5769::password);
      CHECK(view->authenticate(password).has_value() == (size == raw.size() - 8));
    } else {
      CHECK(view.error() == parse_error::bad_attribute);
    }
  }
}

TEST_CASE("parse: what is not STUN") {
  auto raw = message("");
  CHECK(message_view::parse(raw));
  raw[4] ^= std::byte{1};
  CHECK(error_of(raw) == parse_error::not_stun);
  for (const int first : {0x40, 0x80, 0xc0}) {
    auto other = message("");
    other[0] = static_cast<std::byte>(first);
    CHECK(error_of(other) == parse_error::not_stun);
  }
}

TEST_CASE("parse: attributes must tile the length") {
  const auto empty = message("8022 0000");
  CHECK(message_view::parse(empty)->get<attr::software>() == "");
  CHECK(error_of(message("8022 0001")) == parse_error::bad_attribute);
  CHECK(error_of(message("8022 0005 61626364")) == parse_error::bad_attribute);
  CHECK(error_of(message("8022 ffff 61626364")) == parse_error::bad_attribute);
  const auto padded = message("8022 0001 61 626364 0024 0004 00000001");
  const auto view = message_view::parse(padded);
  REQUIRE(view);
  CHECK(view->get<attr::software>() == "a");
  CHECK(view->get<attr::priority>() == 1);
}

TEST_CASE("parse: FINGERPRINT must be right and last") {
  std::array<std::byte, 64> room;
  const auto raw =
      message_writer(room, binding_request, some_id).put<attr::priority>(1).finish_fingerprint();
  REQUIRE(raw);
  CHECK(message_view::parse(*raw));
  auto changed = to_bytes(*raw);
  changed[26] ^= std::byte{1};
  CHECK(error_of(changed) == parse_error::bad_fingerprint);
  auto followed = to_bytes(*raw);
  followed.resize(followed.size() + 4);
  store_be(byte_span(followed), followed.size() - 4, std::uint16_t{0x8022});
  store_be(byte_span(followed), 2, static_cast<std::uint16_t>(followed.size() - 20));
  CHECK(error_of(followed) == parse_error::bad_fingerprint);
  CHECK(error_of(message("8028 0000")) == parse_error::bad_fingerprint);
  CHECK(error_of(message("8028 0008 0000000000000000")) == parse_error::bad_fingerprint);
}

TEST_CASE("get: the first occurrence, and the n-th") {
  const auto raw = message("0024 0004 00000001 0024 0004 00000002 0024 0003 00000000");
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  CHECK(view->get<attr::priority>() == 1);
  CHECK(view->get_nth<attr::priority>(1) == 2);
  CHECK_FALSE(view->get_nth<attr::priority>(2));  // malformed
  CHECK_FALSE(view->get_nth<attr::priority>(3));
  CHECK_FALSE(view->get<attr::software>());
}

TEST_CASE("authenticate: SHA-1, SHA-256, and which of two counts") {
  std::array<std::byte, 256> room;
  for (const auto with : {integrity::sha1, integrity::sha256}) {
    for (const bool fingerprint : {false, true}) {
      const auto raw = message_writer(room, binding_request, some_id)
                           .put<attr::username>("user")
                           .finish_signed(as_bytes(key), with, fingerprint);
      REQUIRE(raw);
      const auto view = message_view::parse(*raw);
      REQUIRE(view);
      CHECK(view->has<attr::fingerprint>() == fingerprint);
      CHECK(view->authenticate(as_bytes(key))->get<attr::username>() == "user");
      CHECK(view->authenticate(as_bytes("")).error() == auth_error::wrong_integrity);
    }
  }
  // A valid SHA-1 does not excuse a wrong SHA-256 behind it.
  const auto seal = message_writer(room, binding_request, some_id)
                        .finish_signed(as_bytes(key), integrity::sha1, false);
  auto both = to_bytes(*seal);
  both.resize(both.size() + 36);
  store_be(byte_span(both), 44, attr::message_integrity_sha256::type);
  store_be(byte_span(both), 46, std::uint16_t{32});
  store_be(byte_span(both), 2, std::uint16_t{24 + 36});
  CHECK(message_view::parse(both)->authenticate(as_bytes(key)).error() ==
        auth_error::wrong_integrity);
  const auto none = message("");
  CHECK(message_view::parse(none)->authenticate(as_bytes(key)).error() == auth_error::no_integrity);
}

TEST_CASE("authenticate: truncated integrity values are refused") {
  std::array<std::byte, 256> room;
  const auto raw = message_writer(room, binding_request, some_id)
                       .finish_signed(as_bytes(key), integrity::sha256, false);
  for (const std::size_t size : {0, 16, 20, 28}) {
    auto cut = to_bytes(raw->first(24 + size));
    store_be(byte_span(cut), 2, static_cast<std::uint16_t>(4 + size));
    store_be(byte_span(cut), 22, static_cast<std::uint16_t>(size));
    const auto view = message_view::parse(cut);
    REQUIRE(view);
    CHECK(view->authenticate(as_bytes(key)).error() == auth_error::wrong_integrity);
  }
}

TEST_CASE("authenticate: leaves the buffer alone") {
  const auto raw = from_hex(nat::test::rfc5769::request);
  const auto before = raw;
  CHECK(message_view::parse(raw)->authenticate(as_bytes(nat::test::rfc5769::password)));
  CHECK(raw == before);
}

TEST_CASE("what follows the integrity attribute is not seen") {
  std::array<std::byte, 256> room;
  const auto signed_part = message_writer(room, binding_request, some_id)
                               .put<attr::priority>(1)
                               .finish_signed(as_bytes(key), integrity::sha1, false);
  auto raw = to_bytes(*signed_part);
  const auto added = from_hex("0025 0000 0024 0004 00000002 7fff 0000");
  raw.insert(raw.end(), added.begin(), added.end());
  store_be(byte_span(raw), 2, static_cast<std::uint16_t>(raw.size() - 20));
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  const auto verified = view->authenticate(as_bytes(key));
  REQUIRE(verified);
  CHECK_FALSE(verified->has<attr::use_candidate>());
  CHECK_FALSE(verified->get_nth<attr::priority>(1));
  std::array<std::uint16_t, 4> unknown;
  CHECK(verified->unknown_required(unknown) == 0);
}

TEST_CASE("unknown comprehension-required attributes: listed once each, bounded") {
  const auto raw = message("7f01 0000 8f01 0000 7f02 0000 7f01 0000 0024 0004 00000001 7f03 0000");
  const auto view = message_view::parse(raw);
  REQUIRE(view);
  std::array<std::uint16_t, 8> room{};
  REQUIRE(view->unknown_required(room) == 3);
  CHECK(room[0] == 0x7f01);
  CHECK(room[1] == 0x7f02);
  CHECK(room[2] == 0x7f03);
  CHECK(view->unknown_required(std::span(room).first(2)) == 2);
  CHECK(view->unknown_required({}) == 0);

  std::array<std::byte, 64> out;
  const auto answer = message_writer(out, binding_error, view->id())
                          .put<attr::error_code>({420, ""})
                          .put_unknown(std::span(room).first(3))
                          .finish();
  REQUIRE(answer);
  CHECK(std::ranges::equal(*message_view::parse(*answer)->get<attr::unknown_attributes>(),
                           from_hex("7f01 7f02 7f03")));
}

TEST_CASE("writer: every size of room too small is remembered") {
  const auto write = [](byte_span room) {
    return message_writer(room, binding_request, some_id)
        .put<attr::username>("name")
        .put<attr::priority>(1)
        .put_unknown(std::array<std::uint16_t, 1>{5})
        .finish_signed(as_bytes(key));
  };
  std::array<std::byte, 256> room;
  const auto whole = write(room);
  REQUIRE(whole);
  for (std::size_t size = 0; size < whole->size(); ++size) {
    bytes small(size);
    CHECK_FALSE(write(small));
  }
  bytes exact(whole->size());
  CHECK(std::ranges::equal(*write(exact), *whole));
}

TEST_CASE("writer: no message beyond what its length field can say") {
  bytes room(80'000);
  const bytes large(65'528);
  const auto most = message_writer(room, binding_request, some_id).put<attr::data>(large).finish();
  REQUIRE(most);
  CHECK(message_view::parse(*most)->get<attr::data>()->size() == 65'528);
  CHECK_FALSE(message_writer(room, binding_request, some_id)
                  .put<attr::data>(large)
                  .put<attr::dont_fragment>({})
                  .finish());
  CHECK_FALSE(
      message_writer(room, binding_request, some_id).put<attr::data>(large).finish_fingerprint());
  const bytes beyond(70'000);
  CHECK_FALSE(message_writer(room, binding_request, some_id).put<attr::data>(beyond).finish());
}

TEST_CASE("transaction ids come from the source") {
  nat::test::seeded_random a(1), b(1), c(2);
  const auto id = make_transaction_id(a);
  CHECK(id == make_transaction_id(b));
  CHECK(id != make_transaction_id(c));
  CHECK(id != make_transaction_id(a));
}

TEST_CASE("stream_message_size: STUN, ChannelData, and neither") {
  CHECK(stream_message_size(from_hex("0001 0000")) == 20);
  CHECK(stream_message_size(from_hex("0101 0058")) == 108);
  CHECK_FALSE(stream_message_size(from_hex("0001 0001")));
  CHECK(stream_message_size(from_hex("4000 0000")) == 4);
  CHECK(stream_message_size(from_hex("4fff 0001")) == 8);
  CHECK(stream_message_size(from_hex("4000 ffff")) == 65540);
  CHECK(stream_message_size(from_hex("7fff 0001")) == 8);
  CHECK_FALSE(stream_message_size(from_hex("8001 0000")));
  CHECK_FALSE(stream_message_size(from_hex("1603 0301 00")));  // a TLS record: length not of STUN
}
