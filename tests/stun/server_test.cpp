#include "stun/server.hpp"

#include <algorithm>
#include <array>

#include "protocol/base/big_endian.hpp"
#include "stun/message.hpp"
#include "tests/check.hpp"
#include "tests/vectors/rfc5769.hpp"

using namespace nat;
using namespace nat::stun;
using nat::test::from_hex;

namespace {

const endpoint v4 = *parse_endpoint("192.0.2.1:32853");
const endpoint v6 = *parse_endpoint("[2001:db8::1]:40000");
constexpr transaction_id some_id{{std::byte{7}, std::byte{8}}};

// A Binding request with what `add` puts in.
template <class Add>
bytes request(Add add, bool fingerprint = false) {
  std::array<std::byte, 512> room;
  message_writer writer(room, binding_request, some_id);
  add(writer);
  return to_bytes(fingerprint ? *writer.finish_fingerprint() : *writer.finish());
}
const auto nothing = [](message_writer&) {};

std::optional<bytes> answer_to(byte_view raw, const endpoint& from = v4) {
  std::array<std::byte, max_binding_answer> room;
  const auto out = answer(raw, from, room);
  return out ? std::optional(to_bytes(*out)) : std::nullopt;
}

}  // namespace

TEST_CASE("20 octets in, 32 out over IPv4 and 44 over IPv6") {
  const auto raw = request(nothing);
  REQUIRE(raw.size() == 20);
  const auto out = answer_to(raw);
  REQUIRE(out);
  CHECK(out->size() == 32);
  const auto view = message_view::parse(*out);
  REQUIRE(view);
  CHECK(view->type() == binding_success);
  CHECK(view->id() == some_id);
  CHECK(view->get<attr::xor_mapped_address>() == v4);
  const auto six = answer_to(raw, v6);
  REQUIRE(six);
  CHECK(six->size() == 44);
  CHECK(message_view::parse(*six)->get<attr::xor_mapped_address>() == v6);
  // From a dual-stack socket.
  const auto mapped = answer_to(raw, *parse_endpoint("[::ffff:192.0.2.1]:32853"));
  CHECK(mapped == out);
}

TEST_CASE("FINGERPRINT only for those who use it; ICE checks are answered too") {
  const auto out = answer_to(request(nothing, true));
  REQUIRE(out);
  CHECK(out->size() == 40);
  CHECK(message_view::parse(*out)->has<attr::fingerprint>());
  const auto check = answer_to(from_hex(nat::test::rfc5769::request));
  REQUIRE(check);
  CHECK(message_view::parse(*check)->type() == binding_success);
}

TEST_CASE("420 for attributes that must be understood and are not") {
  auto raw = from_hex(
      "0001 0010 2112a442 000102030405060708090a0b 7f01 0004 00000000 7f02 0000"
      "8f00 0000");
  const auto out = answer_to(raw);
  REQUIRE(out);
  const auto view = message_view::parse(*out);
  CHECK(view->type() == binding_error);
  CHECK(view->get<attr::error_code>()->code == 420);
  CHECK(std::ranges::equal(*view->get<attr::unknown_attributes>(), from_hex("7f01 7f02")));
  CHECK_FALSE(view->has<attr::xor_mapped_address>());
}

TEST_CASE("420 for the attributes of RFC 5780, which this server does not do") {
  const auto refused = [](void (*add)(message_writer&)) {
    const auto out = answer_to(request(add));
    REQUIRE(out);
    CHECK(message_view::parse(*out)->type() == binding_error);
    return load_be<std::uint16_t>(*message_view::parse(*out)->get<attr::unknown_attributes>());
  };
  CHECK(refused([](message_writer& w) { w.put<attr::change_request>({true, true}); }) == 0x0003);
  CHECK(refused([](message_writer& w) { w.put<attr::response_port>(99); }) == 0x0027);
  CHECK(refused([](message_writer& w) { w.put<attr::padding>({}); }) == 0x0026);
}

TEST_CASE("the longest answer fits in max_binding_answer") {
  auto raw = from_hex("0001 0000 2112a442 000102030405060708090a0b");
  for (int i = 0; i < 100; ++i) {
    raw.resize(raw.size() + 4);
    store_be(byte_span(raw), raw.size() - 4, static_cast<std::uint16_t>(0x7000 + i));
  }
  store_be(byte_span(raw), 2, static_cast<std::uint16_t>(raw.size() - 20));
  const auto out = answer_to(raw);
  REQUIRE(out);
  CHECK(out->size() == 48);
  CHECK(message_view::parse(*out)->get<attr::unknown_attributes>()->size() == 16);
}

TEST_CASE("nothing for anything but a well-formed Binding request") {
  std::array<std::byte, 64> room;
  for (const auto type : {binding_success, binding_error, binding_indication,
                          message_type{method::allocate, kind::request},
                          message_type{static_cast<method>(0xfff), kind::request}}) {
    CHECK_FALSE(answer_to(*message_writer(room, type, some_id).finish()));
  }
  const auto good = from_hex(nat::test::rfc5769::request);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(answer_to(byte_view(good).first(size)));
  }
  for (const auto* garbage :
       {"", "00", "ff", "16030100", "0001 0000 2112a443 000102030405060708090a0b"}) {
    CHECK_FALSE(answer_to(from_hex(garbage)));
  }
}

TEST_CASE("no room, no answer") {
  const auto raw = request(nothing);
  for (std::size_t size = 0; size < 32; ++size) {
    bytes room(size);
    CHECK_FALSE(answer(raw, v4, room));
  }
}
