#include "ice/gather/mdns.hpp"

#include "ice/gather/mdns_resolver.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::ice::mdns;
using namespace std::chrono_literals;
using nat::test::from_hex;

namespace {

constexpr auto browser_name = "ebf3750f-cdd9-43e0-b951-e372b6e28cf2.local";

// What Chromium 156 answers: AAAA, then an NSEC that denies A.
bytes chromium_response() {
  return from_hex(
      "0000840000000001000000012465626633373530662d636464392d343365302d623935312d6533373262366532"
      "38636632056c6f63616c00001c8001000000780010fd0000000000000000000000000000022465626633373530"
      "662d636464392d343365302d623935312d653337326236653238636632056c6f63616c00002f80010000007800"
      "08c052000400000008");
}

// A response with one question-less answer section of `records`, each already in wire form.
bytes response(std::uint16_t count, std::string_view records) {
  auto out = from_hex("000084000000");
  out.push_back(static_cast<std::byte>(count >> 8));
  out.push_back(static_cast<std::byte>(count & 0xff));
  const auto tail = from_hex("00000000"), body = from_hex(records);
  out.insert(out.end(), tail.begin(), tail.end());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// "a.local", A, IN with the cache-flush bit, 120 s, four octets.
const std::string a_local = "0161056c6f63616c00 0001 8001 00000078 0004 c0000201";

const time_point start{1h};
const endpoint responder{*parse_address("192.0.2.2"), 5353};

}  // namespace

TEST_CASE("mdns: which names are asked for") {
  CHECK(is_name(browser_name));
  CHECK(is_name("A.LOCAL"));
  CHECK(is_name(std::string(63, 'x') + ".local"));
  for (const auto* host :
       {"", "local", ".local", "a.local.", "a.b.local", "a_b.local", "a.example", "192.0.2.1"}) {
    CAPTURE(host);
    CHECK_FALSE(is_name(host));
  }
  CHECK_FALSE(is_name(std::string(64, 'x') + ".local"));
}

TEST_CASE("mdns: a query asks for both families and takes a unicast answer") {
  CHECK(write_query("a.local", 0x1234) ==
        from_hex("1234 0000 0002 0000 0000 0000"
                 "0161 056c6f63616c 00 0001 8001 0161 056c6f63616c 00 001c 8001"));
}

TEST_CASE("mdns: groups") {
  CHECK(to_string(group_v4()) == "224.0.0.251:5353");
  CHECK(to_string(group_v6()) == "[ff02::fb]:5353");
}

TEST_CASE("mdns: Chromium's response") {
  const auto records = read_response(chromium_response());
  REQUIRE(records.size() == 1);
  CHECK(records[0] == record{browser_name, *parse_address("fd00::2")});
}

TEST_CASE("mdns: compressed names, other records, goodbyes") {
  // a.local A; then by pointer to offset 12: TXT, AAAA, A with TTL 0, A of class CH.
  const auto records = read_response(response(
      5, a_local + "c00c 0010 0001 00000078 0002 0178" +
             "c00c 001c 8001 00000078 0010 20010db8000000000000000000000001" +
             "c00c 0001 0001 00000000 0004 c0000202" + "c00c 0001 0003 00000078 0004 c0000203"));
  REQUIRE(records.size() == 2);
  CHECK(records[0] == record{"a.local", *parse_address("192.0.2.1")});
  CHECK(records[1] == record{"a.local", *parse_address("2001:db8::1")});
}

TEST_CASE("mdns: names are compared without case") {
  const auto records =
      read_response(response(1, "0141054c4f43414c00 0001 8001 00000078 0004 c0000201"));
  REQUIRE(records.size() == 1);
  CHECK(records[0].name == "a.local");
}

TEST_CASE("mdns: questions in a response are skipped") {
  auto datagram = from_hex("0000 8400 0001 0001 0000 0000 0161056c6f63616c00 0001 0001");
  const auto answer = from_hex("c00c 0001 8001 00000078 0004 c0000201");
  datagram.insert(datagram.end(), answer.begin(), answer.end());
  CHECK(read_response(datagram).size() == 1);
}

TEST_CASE("mdns: what is no response") {
  CHECK(read_response({}).empty());
  CHECK(read_response(write_query("a.local", 0)).empty());
  auto datagram = response(1, a_local);
  REQUIRE(read_response(datagram).size() == 1);
  datagram[3] = std::byte{3};  // NXDOMAIN
  CHECK(read_response(datagram).empty());
  datagram[3] = std::byte{0};
  datagram[2] = std::byte{0x8c};  // opcode 1
  CHECK(read_response(datagram).empty());
}

TEST_CASE("mdns: names that lead nowhere end the reading") {
  const std::string tail = " 0001 8001 00000078 0004 c0000201";
  CHECK(read_response(response(1, "c00c" + tail)).empty());       // itself
  CHECK(read_response(response(1, "c00e c00c" + tail)).empty());  // forwards
  CHECK(read_response(response(1, "0161 c00c" + tail)).empty());  // round and round
  CHECK(read_response(response(1, "4161 00" + tail)).empty());    // a label type from 1999
  std::string long_name;
  for (int i = 0; i < 5; ++i) {
    long_name += "3f";
    for (int k = 0; k < 63; ++k) long_name += "61";
  }
  CHECK(read_response(response(1, long_name + "00" + tail)).empty());
}

TEST_CASE("mdns: cut off anywhere, nothing is made up") {
  const auto whole = chromium_response();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto records = read_response(byte_view(whole).first(size));
    CHECK(records.size() <= 1);
    if (!records.empty()) CHECK(records[0].address == *parse_address("fd00::2"));
  }
}

TEST_CASE("mdns: a response is bounded") {
  std::string many;
  for (int i = 0; i < 40; ++i) many += a_local;
  CHECK(read_response(response(40, many)).size() == 16);
  CHECK(read_response(response(65'535, a_local)).size() == 1);
}

TEST_CASE("mdns resolver: asks, is answered, forgets") {
  resolver r;
  CHECK_FALSE(r.ask("example.com", start));
  REQUIRE(r.ask(browser_name, start));
  CHECK(r.ask(browser_name, start));
  CHECK(r.poll_transmit() == write_query(browser_name, 0));
  CHECK_FALSE(r.poll_transmit());
  r.handle_datagram({responder.ip, 5354}, chromium_response());
  CHECK_FALSE(r.poll_event());
  r.handle_datagram(responder, chromium_response());
  r.handle_datagram(responder, chromium_response());
  const auto event = r.poll_event();
  REQUIRE(event);
  CHECK(event->name == browser_name);
  CHECK(event->address == parse_address("fd00::2"));
  CHECK_FALSE(r.poll_event());
  REQUIRE(r.next_timeout() == start + 1s);
  r.handle_timeout(start + 1s);
  CHECK_FALSE(r.next_timeout());
  CHECK_FALSE(r.poll_transmit());
  CHECK_FALSE(r.poll_event());
}

TEST_CASE("mdns resolver: asks again, ever slower, and gives up in words") {
  resolver r;
  REQUIRE(r.ask("a.local", start));
  std::vector<duration> sent;
  auto now = start;
  for (;;) {
    while (r.poll_transmit()) sent.push_back(now - start);
    const auto due = r.next_timeout();
    if (!due) break;
    now = *due;
    r.handle_timeout(now);
  }
  CHECK(sent == std::vector<duration>{0s, 1s, 3s, 7s});
  CHECK(now == start + 15s);
  const auto event = r.poll_event();
  REQUIRE(event);
  CHECK(event->name == "a.local");
  CHECK_FALSE(event->address);
}

TEST_CASE("mdns resolver: bounded, and deaf to what it did not ask or can't use") {
  resolver r({.max_names = 2, .max_addresses = 1});
  CHECK(r.ask("a.local", start));
  CHECK(r.ask("b.local", start));
  CHECK_FALSE(r.ask("c.local", start));
  r.handle_datagram(responder, chromium_response());
  CHECK_FALSE(r.poll_event());
  // 0.0.0.0, then two addresses.
  r.handle_datagram(responder, response(3,
                                        "0161056c6f63616c00 0001 8001 00000078 0004 00000000"
                                        "c00c 0001 8001 00000078 0004 c0000201"
                                        "c00c 0001 8001 00000078 0004 c0000202"));
  REQUIRE(r.poll_event()->address == parse_address("192.0.2.1"));
  CHECK_FALSE(r.poll_event());
}
