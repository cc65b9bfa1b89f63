// Runs the tables of cases.hpp against the real server.

#include <algorithm>

#include "tests/check.hpp"
#include "tests/signaling/autobahn/cases.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"

namespace nat::test::autobahn {
namespace {

const std::string end_mark = "the end of the case";

std::string end_ping() {
  return frame(end_mark, {.opcode = 9});
}

// One loop: what a client heard of has happened to the others. Bob only listens, and answers
// no ping.
struct playground {
  server_process server{{"--threads", "1", "--messages-per-second", "0",
                         "--max-connections-per-address", "0",
                         "--connections-per-second-per-address", "0", "--idle-timeout", "0"}};
  raw_client bob{server.websocket};
  int clients = 0;
  playground() { bob.join("bob"); }
  raw_client client() {
    raw_client c(server.websocket);
    c.join("al" + std::to_string(clients++));
    return c;
  }
};

void send(const raw_client& c, const test_case& one) {
  if (one.step == by_frame) {
    for (const auto& f : one.frames) c.send_raw(f);
    return;
  }
  std::string all;
  for (const auto& f : one.frames) all += f;
  const auto step = one.step == all_at_once ? all.size() : one.step;
  for (std::size_t at = 0; at < all.size(); at += step) {
    c.send_raw(std::string_view(all).substr(at, step));
  }
}

std::string word_for(const received_frame& f) {
  if (f.opcode == 8) return "close " + std::to_string(f.close_code());
  if (f.opcode == 10) return "pong " + f.payload;
  if (f.opcode == 1 && f.payload.contains("\"error\"")) return "error " + field(f.payload, "code");
  return "frame " + std::to_string(f.opcode) + ' ' + f.payload;
}

// Up to the end of the connection, or to the mark.
std::vector<std::string> heard_by(raw_client& c) {
  std::vector<std::string> out;
  while (const auto got = c.read()) {
    if (got->opcode == 10 && got->payload == end_mark) break;
    out.push_back(word_for(*got));
  }
  return out;
}

std::vector<std::string> delivered_to(raw_client& bob) {
  std::vector<std::string> out;
  bob.send_raw(end_ping());
  while (const auto got = bob.read()) {
    if (got->opcode == 10) break;
    CHECK(field(got->payload, "type") == "offer");
    out.push_back(field(got->payload, "sdp"));
  }
  return out;
}

void run(playground& p, const test_case& one) {
  INFO(one.id);
  auto al = p.client();
  send(al, one);
  const bool closes = !one.heard.empty() && one.heard.back().starts_with("close ");
  if (!closes) al.send_raw(end_ping());
  CHECK(heard_by(al) == one.heard);
  CHECK(delivered_to(p.bob) == one.delivered);
}

void run_all(const table& cases, std::size_t expected) {
  playground p;
  CHECK(cases.size() == expected);
  for (const auto& one : cases) run(p, one);
}

TEST_CASE("1 to 4: framing, pings, reserved bits, opcodes") {
  run_all(framing_cases(), 16 + 11 + 7 + 10);
}

TEST_CASE("5: fragmentation") {
  run_all(fragment_cases(), 20);
}

TEST_CASE("6: UTF-8") {
  run_all(utf8_cases(), 9 + 4 + 22 + 45 + 54 + 30 + 30 + 82);
}

TEST_CASE("7: closing") {
  run_all(closing_cases(), 6 + 7 + 16 + 9 + 2);
}

TEST_CASE("9 and 10: what is larger than 64 KiB is refused, fragmented or not") {
  run_all(limit_cases(), 12 + 18 + 12 + 1);
}

TEST_CASE("9.7, 9.8: a thousand round trips of each size") {
  playground p;
  auto al = p.client();
  for (const std::size_t size : {0U, 16U, 64U, 256U, 1024U, 4096U}) {
    for (int i = 0; i < 1000; ++i) {
      if (size < 64) {
        al.say(std::string(size, '*'));
        REQUIRE(field(al.hear(), "code") == "bad-message");
      } else {
        const auto sdp = sdp_for(size);
        al.say(offer_of(sdp));
        REQUIRE(field(p.bob.hear(), "sdp") == sdp);
      }
      al.send_raw(frame(std::string(size, '\xfe'), {.opcode = 2}));
      REQUIRE(field(al.hear(), "code") == "bad-message");
    }
  }
}

TEST_CASE("12, 13: compression is not offered, and not understood") {
  playground p;
  raw_client c(p.server.websocket, raw_client::start::tcp_only);
  c.send_raw(std::string(upgrade_request) +
             "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; "
             "server_no_context_takeover\r\n\r\n");
  const auto head = c.read_head();
  CHECK(head.starts_with("HTTP/1.1 101 "));
  CHECK_FALSE(head.contains("Extensions"));
  // RFC 7692, 7.2.3.1: "Hello", compressed.
  c.send_raw(frame("\xf2\x48\xcd\xc9\xc9\x07\x00", {.reserved_bits = 0x40}));
  CHECK(c.read_close() == 1002);
}

}  // namespace
}  // namespace nat::test::autobahn
