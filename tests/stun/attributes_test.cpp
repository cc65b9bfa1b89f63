// Every attribute: written and read again, at its limits, and malformed.

#include "stun/attributes.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "stun/message.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::stun;
using nat::test::from_hex;

namespace {

constexpr transaction_id some_id{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}};

// One message that holds one attribute with these raw octets.
bytes message_with(std::uint16_t type, byte_view value) {
  std::array<std::byte, 2048> room;
  const auto header = message_writer(room, binding_request, some_id).finish();
  bytes out = to_bytes(*header);
  const auto padded = (value.size() + 3) / 4 * 4;
  out.resize(24 + padded);
  store_be(byte_span(out), 2, static_cast<std::uint16_t>(4 + padded));
  store_be(byte_span(out), 20, type);
  store_be(byte_span(out), 22, static_cast<std::uint16_t>(value.size()));
  std::ranges::copy(value, out.begin() + 24);
  return out;
}

template <attribute A>
std::optional<typename A::value> read_raw(byte_view value) {
  static bytes kept;  // values may point into it
  kept = message_with(A::type, value);
  const auto view = message_view::parse(kept);
  REQUIRE(view);
  CHECK(view->has<A>());
  return view->get<A>();
}

template <class T>
bool same(const T& a, const T& b) {
  if constexpr (std::same_as<T, byte_view>) {
    return std::ranges::equal(a, b);
  } else {
    return a == b;
  }
}

template <attribute A>
void round_trip(const typename A::value& value) {
  CAPTURE(A::type);
  std::array<std::byte, 2048> room;
  room.fill(std::byte{0xee});
  message_writer writer(room, binding_request, some_id);
  writer.put<A>(value);
  const auto raw = writer.put<attr::priority>(7).finish();
  REQUIRE(raw);
  CHECK(raw->size() % 4 == 0);
  const auto view = message_view::parse(*raw);
  REQUIRE(view);
  const auto back = view->get<A>();
  REQUIRE(back);
  CHECK(same<typename A::value>(*back, value));
  CHECK(view->get<attr::priority>() == 7);
  CHECK(is_known_attribute(A::type));
}

// Octets of every size up to 40: only `good` sizes may be read.
template <attribute A>
void only_sizes(std::initializer_list<std::size_t> good) {
  CAPTURE(A::type);
  const bytes zeros(40, std::byte{0});
  for (std::size_t size = 0; size <= zeros.size(); ++size) {
    CAPTURE(size);
    const bool expected = std::ranges::find(good, size) != good.end();
    CHECK(read_raw<A>(byte_view(zeros).first(size)).has_value() == expected);
  }
}

}  // namespace

TEST_CASE("addresses, plain and XORed, of both families") {
  for (const auto* text : {"192.0.2.1:3478", "0.0.0.0:0", "255.255.255.255:65535",
                           "[2001:db8::1]:3478", "[::]:0", "[::ffff:192.0.2.1]:1"}) {
    const auto value = *parse_endpoint(text);
    round_trip<attr::mapped_address>(value);
    round_trip<attr::xor_mapped_address>(value);
    round_trip<attr::xor_peer_address>(value);
    round_trip<attr::xor_relayed_address>(value);
    round_trip<attr::alternate_server>(value);
    round_trip<attr::response_origin>(value);
    round_trip<attr::other_address>(value);
  }
}

TEST_CASE("addresses: family and size must agree") {
  const auto v4 = from_hex("00 01 0d96 c0000201");
  CHECK(read_raw<attr::mapped_address>(v4) == parse_endpoint("192.0.2.1:3478"));
  CHECK(read_raw<attr::mapped_address>(from_hex("ff 01 0d96 c0000201")));  // reserved octet
  CHECK_FALSE(read_raw<attr::mapped_address>(from_hex("00 02 0d96 c0000201")));
  CHECK_FALSE(read_raw<attr::mapped_address>(from_hex("00 03 0d96 c0000201")));
  CHECK_FALSE(read_raw<attr::xor_mapped_address>(from_hex("00 01 0d96 c0000201 00000000")));
  CHECK_FALSE(read_raw<attr::xor_mapped_address>(from_hex("00 01 0d96 c00002")));
  bytes v6(20);
  v6[1] = std::byte{2};
  CHECK(read_raw<attr::mapped_address>(v6) == parse_endpoint("[::]:0"));
  v6[1] = std::byte{1};
  CHECK_FALSE(read_raw<attr::mapped_address>(v6));
}

TEST_CASE("text: any bytes up to 763 of them") {
  for (const std::size_t length : {0, 1, 2, 3, 4, 5, 127, 763}) {
    const std::string text(length, 'x');
    round_trip<attr::username>(text);
    round_trip<attr::realm>(text);
    round_trip<attr::nonce>(text);
    round_trip<attr::software>(text);
    round_trip<attr::alternate_domain>(text);
    round_trip<attr::error_code>({420, text});
  }
  const std::string long_text(764, 'x');
  CHECK_FALSE(read_raw<attr::nonce>(as_bytes(long_text)));
  std::array<std::byte, 2048> room;
  CHECK_FALSE(message_writer(room, binding_request, some_id).put<attr::nonce>(long_text).finish());
  CHECK_FALSE(message_writer(room, binding_request, some_id)
                  .put<attr::error_code>({400, long_text})
                  .finish());
}

TEST_CASE("raw values, some of one size only") {
  nat::test::seeded_random random;
  bytes octets(500);
  random.fill(octets);
  const byte_view all = octets;
  for (const std::size_t size : {0, 1, 2, 3, 4, 100, 500}) {
    round_trip<attr::data>(all.first(size));
    round_trip<attr::padding>(all.first(size));
    round_trip<attr::unknown_attributes>(all.first(size));
    round_trip<attr::password_algorithms>(all.first(size));
    round_trip<attr::address_error_code>(all.first(size));
    round_trip<attr::icmp>(all.first(size));
  }
  round_trip<attr::userhash>(all.first(32));
  round_trip<attr::reservation_token>(all.first(8));
  only_sizes<attr::userhash>({32});
  only_sizes<attr::reservation_token>({8});
  only_sizes<attr::message_integrity>({20});
  only_sizes<attr::message_integrity_sha256>({32});
  std::array<std::byte, 64> room;
  CHECK_FALSE(message_writer(room, binding_request, some_id)
                  .put<attr::reservation_token>(all.first(9))
                  .finish());
}

TEST_CASE("numbers and flags") {
  for (const std::uint32_t value : {0U, 1U, 0x80000000U, 0xffffffffU}) {
    round_trip<attr::lifetime>(value);
    round_trip<attr::nomination>(value);
    round_trip<attr::ice_controlled>((std::uint64_t{value} << 32) | 5);
    round_trip<attr::ice_controlling>((std::uint64_t{value} << 32) | 5);
    round_trip<attr::channel_number>(static_cast<std::uint16_t>(value));
    round_trip<attr::response_port>(static_cast<std::uint16_t>(value));
    round_trip<attr::requested_transport>(static_cast<std::uint8_t>(value));
    round_trip<attr::requested_address_family>(static_cast<std::uint8_t>(value));
    round_trip<attr::additional_address_family>(static_cast<std::uint8_t>(value));
  }
  only_sizes<attr::priority>({4});
  only_sizes<attr::lifetime>({4});
  only_sizes<attr::ice_controlled>({8});
  only_sizes<attr::channel_number>({4});
  only_sizes<attr::requested_transport>({4});
  only_sizes<attr::even_port>({1});
  only_sizes<attr::use_candidate>({0});
  only_sizes<attr::dont_fragment>({0});
  only_sizes<attr::change_request>({4});
  round_trip<attr::use_candidate>({});
  round_trip<attr::dont_fragment>({});
  round_trip<attr::even_port>(true);
  round_trip<attr::even_port>(false);
  for (const bool ip : {false, true}) {
    for (const bool port : {false, true}) round_trip<attr::change_request>({ip, port});
  }
  CHECK(read_raw<attr::channel_number>(from_hex("4001ffff")) == 0x4001);  // reserved octets
  CHECK(read_raw<attr::requested_transport>(from_hex("11ffffff")) == 17);
  CHECK(read_raw<attr::change_request>(from_hex("00000004")) == change_value{true, false});
}

TEST_CASE("RESPONSE-PORT: with its two octets of padding counted or not (RFC 5780, 7.5)") {
  CHECK(read_raw<attr::response_port>(from_hex("0d96")) == 3478);
  CHECK(read_raw<attr::response_port>(from_hex("0d960000")) == 3478);
  only_sizes<attr::response_port>({2, 4});
}

TEST_CASE("ERROR-CODE: 300 to 699") {
  for (int code = 300; code <= 699; ++code) round_trip<attr::error_code>({code, "Why"});
  CHECK(read_raw<attr::error_code>(from_hex("0000 0414")) == error_value{420, ""});
  CHECK(read_raw<attr::error_code>(from_hex("ffff fc14 6f6b")) == error_value{420, "ok"});
  CHECK_FALSE(read_raw<attr::error_code>(from_hex("0000 0214")));  // 2xx
  CHECK_FALSE(read_raw<attr::error_code>(from_hex("0000 0714")));  // 7xx
  CHECK_FALSE(read_raw<attr::error_code>(from_hex("0000 0464")));  // number 100
  CHECK_FALSE(read_raw<attr::error_code>(from_hex("0000 04")));
  std::array<std::byte, 64> room;
  for (const int code : {0, 299, 700, -1}) {
    CHECK_FALSE(
        message_writer(room, binding_error, some_id).put<attr::error_code>({code, ""}).finish());
  }
}

TEST_CASE("PASSWORD-ALGORITHM: its parameters must fit") {
  round_trip<attr::password_algorithm>(password_algorithm::md5);
  round_trip<attr::password_algorithm>(password_algorithm::sha256);
  CHECK(read_raw<attr::password_algorithm>(from_hex("0002 0000")) == password_algorithm::sha256);
  CHECK(read_raw<attr::password_algorithm>(from_hex("0002 0003 aabbcc00")));
  CHECK_FALSE(read_raw<attr::password_algorithm>(from_hex("0002 0005 aabbcc00")));
  CHECK_FALSE(read_raw<attr::password_algorithm>(from_hex("0002 00")));
}

TEST_CASE("known attributes are those that have a type") {
  int known = 0;
  for (unsigned type = 0; type <= 0xffff; ++type) {
    known += is_known_attribute(static_cast<std::uint16_t>(type)) ? 1 : 0;
  }
  CHECK(known == 39);
  // Comprehension-required ones of RFC 6062 and RFC 3489 that are left out.
  for (const int type : {0x002A, 0x0002, 0x0004, 0x0005, 0x0007, 0x000B}) {
    CHECK_FALSE(is_known_attribute(static_cast<std::uint16_t>(type)));
  }
}
