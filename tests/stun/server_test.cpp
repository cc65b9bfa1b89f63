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

namespace {

const behavior_addresses ours{*parse_endpoint("198.51.100.1:3478"),
                              *parse_endpoint("203.0.113.2:3479")};
const behavior_addresses ours_v6{*parse_endpoint("[2001:db8::5]:3478"),
                                 *parse_endpoint("[2001:db8::6]:3479")};
constexpr server_door first_door{}, last_door{true, true};

struct heard {
  bytes raw;
  server_door through;
  endpoint to;

  [[nodiscard]] message_view view() const { return *message_view::parse(raw); }
  [[nodiscard]] int code() const {
    return view().get<attr::error_code>().value_or(error_value{}).code;
  }
};

std::optional<heard> discover(byte_view raw, const server_door& at = first_door,
                              const endpoint& from = v4) {
  std::array<std::byte, max_behavior_answer> room;
  const auto out = answer(raw, from, at, from.ip.v4 ? ours : ours_v6, room);
  if (!out) return std::nullopt;
  return heard{to_bytes(out->data), out->through, out->to};
}

const auto change(bool ip, bool port) {
  return request([&](message_writer& w) { w.put<attr::change_request>({ip, port}); });
}

}  // namespace

TEST_CASE("RFC 5780: the answer names the socket it left by and the opposite one") {
  for (const bool ip : {false, true}) {
    for (const bool port : {false, true}) {
      const server_door at{ip, port};
      const auto out = discover(change(false, false), at);
      REQUIRE(out);
      CHECK(out->raw.size() == 56);
      CHECK(out->through == at);
      CHECK(out->to == v4);
      CHECK(out->view().get<attr::xor_mapped_address>() == v4);
      CHECK(out->view().get<attr::response_origin>() == ours.at(at));
      CHECK(out->view().get<attr::other_address>() == ours.at({!ip, !port}));
    }
  }
  CHECK(ours.at({true, false}) == *parse_endpoint("203.0.113.2:3478"));
}

TEST_CASE("CHANGE-REQUEST leaves by another socket, seen from the one it came in by") {
  for (const bool ip : {false, true}) {
    for (const bool port : {false, true}) {
      CHECK(discover(change(ip, port))->through == server_door{ip, port});
      const auto back = discover(change(ip, port), last_door);
      CHECK(back->through == server_door{!ip, !port});
      CHECK(back->to == v4);
      CHECK(back->view().get<attr::response_origin>() == ours.at({!ip, !port}));
    }
  }
}

TEST_CASE("RESPONSE-PORT changes the port, never the host") {
  const auto out = discover(request([](message_writer& w) { w.put<attr::response_port>(5000); }));
  REQUIRE(out);
  CHECK(out->to == endpoint{v4.ip, 5000});
  CHECK(out->view().get<attr::xor_mapped_address>() == v4);
  const auto zero = discover(request([](message_writer& w) { w.put<attr::response_port>(0); }));
  CHECK(zero->code() == 400);
  CHECK(zero->to == v4);
}

TEST_CASE("PADDING is answered with as much, up to a datagram of two fragments") {
  for (const std::size_t size : {8, 600, 1500, 4000}) {
    const bytes filler(size);
    std::array<std::byte, 4096> room;
    const auto raw =
        *message_writer(room, binding_request, some_id).put<attr::padding>(filler).finish();
    const auto out = discover(raw);
    REQUIRE(out);
    const auto back = out->view().get<attr::padding>();
    REQUIRE(back);
    CHECK(back->size() <= std::min(size, max_answer_padding));
    if (size > 8) CHECK(back->size() == std::min(size, max_answer_padding));
    CHECK(out->view().has<attr::response_origin>());
  }
}

TEST_CASE("400 for PADDING beside RESPONSE-PORT and for what can't be read") {
  const auto both = discover(request([](message_writer& w) {
    w.put<attr::response_port>(5000).put<attr::padding>(as_bytes("xxxx"));
  }));
  CHECK(both->code() == 400);
  CHECK(both->to == v4);
  for (const auto* odd : {"0001 0008 2112a442 000102030405060708090a0b 0003 0003 00000600",
                          "0001 0008 2112a442 000102030405060708090a0b 0027 0001 01000000"}) {
    const auto out = discover(from_hex(odd));
    REQUIRE(out);
    CHECK(out->code() == 400);
    CHECK(out->through == first_door);
  }
  const auto unknown =
      discover(from_hex("0001 0004 2112a442 000102030405060708090a0b 7f01 0000"), last_door);
  CHECK(unknown->code() == 420);
  CHECK(unknown->through == last_door);
}

TEST_CASE("what an answer holds depends on the size of its request") {
  const auto holds = [](std::size_t filler, const endpoint& from) {
    const auto raw = request([&](message_writer& w) {
      if (filler > 0) w.put<attr::software>(std::string(filler - 4, 'x'));
    });
    const auto out = discover(raw, first_door, from);
    return 1 + out->view().has<attr::other_address>() + out->view().has<attr::response_origin>();
  };
  CHECK(holds(0, v4) == 2);
  CHECK(holds(4, v4) == 2);
  CHECK(holds(8, v4) == 3);
  CHECK(holds(0, v6) == 1);
  CHECK(holds(12, v6) == 2);
  CHECK(holds(24, v6) == 2);
  CHECK(holds(28, v6) == 3);
}

TEST_CASE("no answer is larger than half again its request") {
  for (const auto& from : {v4, v6, *parse_endpoint("[::ffff:192.0.2.1]:32853")}) {
    const std::size_t headers = unmapped(from.ip).v4 ? 28 : 48;
    for (std::size_t filler = 0; filler < 300; filler += 4) {
      for (const bool seal : {false, true}) {
        const auto raw = request(
            [&](message_writer& w) {
              if (filler >= 4) w.put<attr::padding>(bytes(filler - 4));
            },
            seal);
        const auto out = discover(raw, first_door, from);
        REQUIRE(out);
        CHECK(2 * (out->raw.size() + headers) <= 3 * (raw.size() + headers));
        const auto plain = answer_to(raw, from);
        CHECK(2 * (plain->size() + headers) <= 3 * (raw.size() + headers));
      }
    }
  }
}

TEST_CASE("the longest discovery answer fits, and nothing but a Binding request gets one") {
  const auto raw = request([](message_writer& w) { w.put<attr::change_request>({true, true}); });
  for (std::size_t size = 0; size < 56; ++size) {
    bytes room(size);
    CHECK_FALSE(answer(raw, v4, first_door, ours, room));
  }
  std::array<std::byte, 4096> room;
  const bytes filler(2000);
  const auto longest = *message_writer(room, binding_request, some_id)
                            .put<attr::padding>(filler)
                            .finish_fingerprint();
  const auto out = discover(longest, first_door, v6);
  REQUIRE(out);
  CHECK(out->raw.size() == max_behavior_answer);
  CHECK_FALSE(discover(*message_writer(room, binding_success, some_id).finish()));
}
