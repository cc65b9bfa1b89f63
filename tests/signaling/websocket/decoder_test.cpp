#include "signaling/websocket/decoder.hpp"

#include <vector>

#include "tests/check.hpp"
#include "tests/signaling/websocket/frames.hpp"

namespace nat::websocket {
namespace {

using test::client_frame;
using test::close_frame;
using test::frame;
using type = event::type;

struct seen {
  type what;
  std::string payload;
  close_code code;
};

// Feeds `text` in pieces of `step` octets.
std::vector<seen> decode(std::string text, std::size_t step = SIZE_MAX, std::size_t max = 65'536) {
  decoder d(max);
  std::vector<seen> out;
  for (std::size_t at = 0; at < text.size(); at += step) {
    auto piece = text.substr(at, step);
    d.feed(std::as_writable_bytes(std::span(piece)));
    while (const auto e = d.next()) out.push_back({e->what, std::string(e->payload), e->code});
    if (text.size() - at <= step) break;
  }
  return out;
}

void check_violation(const std::string& text, close_code code = close_code::protocol_error) {
  const auto events = decode(text);
  REQUIRE(events.size() >= 1);
  CHECK(events.back().what == type::violation);
  CHECK(events.back().code == code);
  CHECK_FALSE(events.back().payload.empty());
}

TEST_CASE("messages of every length form, in one read or octet by octet") {
  for (const std::size_t size : {0, 1, 7, 8, 9, 125, 126, 127, 65'535, 65'536}) {
    const std::string message(size, 'x');
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{1000}, SIZE_MAX}) {
      const auto events = decode(frame(message) + frame("after"), step);
      REQUIRE(events.size() == 2);
      CHECK(events[0].what == type::text);
      CHECK(events[0].payload == message);
      CHECK(events[1].payload == "after");
    }
  }
}

TEST_CASE("a fragmented message with control frames in between") {
  const auto text = frame("Hel", {.opcode = 1, .fin = false}) + frame("p", {.opcode = 9}) +
                    frame("lo ", {.opcode = 0, .fin = false}) + frame("", {.opcode = 10}) +
                    frame("\xe2\x82", {.opcode = 0, .fin = false}) + frame("\xac", {.opcode = 0}) +
                    frame("next");
  for (const std::size_t step : {std::size_t{1}, std::size_t{5}, SIZE_MAX}) {
    const auto events = decode(text, step);
    REQUIRE(events.size() == 7);
    CHECK(events[0].what == type::fragment);
    CHECK(events[1].what == type::ping);
    CHECK(events[1].payload == "p");
    CHECK(events[2].what == type::fragment);
    CHECK(events[3].what == type::pong);
    CHECK(events[5].what == type::text);
    CHECK(events[5].payload == "Hello \xe2\x82\xac");
    CHECK(events[6].payload == "next");
  }
}

TEST_CASE("binary messages are told apart, whole and in parts, and need not be UTF-8") {
  const auto events =
      decode(frame("\xff", {.opcode = 2}) + frame("a", {.opcode = 2, .fin = false}) +
             frame("\xff", {.opcode = 0}));
  REQUIRE(events.size() == 3);
  CHECK(events[0].what == type::binary);
  CHECK(events[2].what == type::binary);
  CHECK(events[2].payload == "a\xff");
}

TEST_CASE("closing: with a code, with a reason, without anything; silence afterwards") {
  const auto with = decode(close_frame(1000, "done") + frame("ignored"));
  REQUIRE(with.size() == 1);
  CHECK(with[0].what == type::close);
  CHECK(with[0].code == close_code::normal);
  CHECK(with[0].payload == "done");
  const auto without = decode(frame("", {.opcode = 8}));
  REQUIRE(without.size() == 1);
  CHECK(without[0].code == close_code::no_status);
  CHECK(decode(close_frame(4999))[0].what == type::close);
}

TEST_CASE("violations of the protocol") {
  SUBCASE("reserved bits: an extension that was not negotiated, a decompression bomb's first bit") {
    for (const unsigned bit : {0x40U, 0x20U, 0x10U}) {
      check_violation(frame("x", {.reserved_bits = bit}));
    }
  }
  SUBCASE("reserved opcodes") {
    for (const unsigned op : {3U, 7U, 11U, 15U}) check_violation(frame("x", {.opcode = op}));
  }
  SUBCASE("no mask") {
    check_violation(frame("x", {.masked = false}));
  }
  SUBCASE("lengths that are not in their shortest form") {
    check_violation(frame("x", {.length_form = 126}));
    check_violation(frame("x", {.length_form = 127}));
    check_violation(frame(std::string(1000, 'x'), {.length_form = 127}));
    check_violation("\x81\xff" + std::string(8, '\xff') + "mask");
  }
  SUBCASE("control frames: fragmented, too long") {
    check_violation(frame("x", {.opcode = 9, .fin = false}));
    check_violation(frame(std::string(126, 'x'), {.opcode = 9}));
    check_violation(frame(std::string(126, 'x'), {.opcode = 8}));
  }
  SUBCASE("parts in the wrong order") {
    check_violation(frame("x", {.opcode = 0}));
    check_violation(frame("x", {.fin = false}) + frame("x"));
    check_violation(frame("x", {.fin = false}) + frame("x", {.opcode = 2}));
  }
  SUBCASE("close frames that say nothing sensible") {
    check_violation(frame("x", {.opcode = 8}));
    for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 2999U, 5000U, 65'535U}) {
      check_violation(close_frame(code));
    }
    check_violation(close_frame(1000, "\xff"), close_code::invalid_payload);
  }
  SUBCASE("texts that are not UTF-8") {
    for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
      check_violation(frame(bad), close_code::invalid_payload);
      check_violation(
          frame(std::string(bad, 1), {.fin = false}) + frame(std::string(bad + 1), {.opcode = 0}),
          close_code::invalid_payload);
    }
  }
}

TEST_CASE(
    "a part that can't become UTF-8 ends the message at once, an unfinished character waits") {
  const client_frame begin{.fin = false}, more{.opcode = 0, .fin = false};
  const auto bad = decode(frame("\xce", begin) + frame("\xba\xe1\xbd", more) + frame("\xc0", more));
  REQUIRE(bad.size() == 3);
  CHECK(bad[1].what == type::fragment);
  CHECK(bad[2].what == type::violation);
  CHECK(bad[2].code == close_code::invalid_payload);
  const auto binary = decode(frame("\xff", {.opcode = 2, .fin = false}) + frame("\xff", more));
  CHECK(binary.back().what == type::fragment);
}

TEST_CASE("a message that is too large is refused by its header alone") {
  decoder d(1000);
  auto header = frame(std::string(1001, 'x')).substr(0, 8);
  d.feed(std::as_writable_bytes(std::span(header)));
  const auto e = d.next();
  REQUIRE(e.has_value());
  CHECK(e->what == type::too_large);
  CHECK_FALSE(d.next().has_value());
  CHECK(decode(frame(std::string(1000, 'x')), SIZE_MAX, 1000)[0].what == type::text);

  const auto parts = decode(
      frame(std::string(600, 'x'), {.fin = false}) + frame(std::string(401, 'x'), {.opcode = 0}),
      SIZE_MAX, 1000);
  REQUIRE(parts.size() == 2);
  CHECK(parts[1].what == type::too_large);

  std::string fifty_mebibytes{'\x81', '\xff', 0, 0, 0, 0, 0x03, 0x20, 0, 0};
  CHECK(decode(fifty_mebibytes + "mask")[0].what == type::too_large);
}

TEST_CASE("a frame in two reads is kept until it is whole, and nothing of it after") {
  decoder d(1000);
  auto half = frame("hello");
  auto rest = half.substr(4);
  half.resize(4);
  d.feed(std::as_writable_bytes(std::span(half)));
  CHECK_FALSE(d.next().has_value());
  CHECK(d.kept() == 4);
  d.feed(std::as_writable_bytes(std::span(rest)));
  CHECK(d.next().has_value());
  CHECK_FALSE(d.next().has_value());
  CHECK(d.kept() == 0);
}

TEST_CASE("what a server writes") {
  std::string out;
  append_frame(out, opcode::text, "Hello");  // RFC 6455, 5.7
  CHECK(as_text(test::from_hex("81 05 48 65 6c 6c 6f")) == out);
  out.clear();
  append_frame(out, opcode::binary, std::string(256, 'x'));
  CHECK(out.substr(0, 4) == as_text(test::from_hex("82 7e 01 00")));
  out.clear();
  append_frame(out, opcode::binary, std::string(65'536, 'x'));
  CHECK(out.substr(0, 10) == as_text(test::from_hex("82 7f 00 00 00 00 00 01 00 00")));
  CHECK(out.size() == 65'536 + max_frame_overhead);
  out.clear();
  append_close(out, close_code::too_big, "too-large");
  CHECK(out == "\x88\x0b\x03\xf1too-large");
  out.clear();
  append_close(out, close_code::normal, std::string(200, 'x'));
  CHECK(out.size() == 2 + max_control_payload);
  out.clear();
  append_close(out, close_code::no_status, "dropped");
  CHECK(out == std::string("\x88\0", 2));
}

}  // namespace
}  // namespace nat::websocket
