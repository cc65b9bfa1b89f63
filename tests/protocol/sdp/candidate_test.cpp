#include "protocol/sdp/candidate.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::sdp;

TEST_CASE("candidates: a browser's line, field by field") {
  const auto c = parse_candidate(
      "candidate:3388485749 1 udp 1685987071 203.0.113.7 40112 typ srflx raddr 192.0.2.2 "
      "rport 46154 generation 0 ufrag 4igg network-id 1 network-cost 10");
  REQUIRE(c);
  CHECK(*c == candidate{.foundation = "3388485749",
                        .component = 1,
                        .proto = transport::udp,
                        .priority = 1685987071,
                        .host = "203.0.113.7",
                        .port = 40112,
                        .type = candidate_type::srflx,
                        .related_host = "192.0.2.2",
                        .related_port = 46154,
                        .tcp = std::nullopt,
                        .ufrag = "4igg"});
}

TEST_CASE("candidates: the forms that differ between writers read alike") {
  const auto plain = parse_candidate("candidate:1 1 udp 7 192.0.2.1 80 typ host");
  REQUIRE(plain);
  for (const auto* line :
       {"a=candidate:1 1 udp 7 192.0.2.1 80 typ host", "1 1 udp 7 192.0.2.1 80 typ host",
        "candidate:1 1 UDP 7 192.0.2.1 80 typ host\r\n",
        "candidate:1 1 udp 7 192.0.2.1 80 typ host generation 0",
        "candidate:1  1 udp 7 192.0.2.1 80 typ host "}) {
    CAPTURE(line);
    CHECK(parse_candidate(line) == plain);
  }
}

TEST_CASE("candidates: mDNS names and IPv6 stay text") {
  const auto name = parse_candidate(
      "candidate:0 1 UDP 2122252543 4d9ae8b3-2c5b-4ba7-9ab9-5a2f1f1b4c55.local 51234 typ host");
  REQUIRE(name);
  CHECK(name->host == "4d9ae8b3-2c5b-4ba7-9ab9-5a2f1f1b4c55.local");
  const auto v6 = parse_candidate("candidate:2 1 udp 2130706431 2001:db8::2 55374 typ host");
  REQUIRE(v6);
  CHECK(v6->host == "2001:db8::2");
}

TEST_CASE("candidates: tcp, RFC 6544") {
  const auto type_of = [](const char* line) {
    const auto c = parse_candidate(line);
    REQUIRE(c);
    CHECK(c->proto == transport::tcp);
    return c->tcp;
  };
  CHECK(type_of("1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active") == tcp_type::active);
  CHECK(type_of("1 1 TCP 1518280447 192.0.2.1 0 typ host tcptype active") == tcp_type::active);
  CHECK(type_of("1 1 tcp 1518280447 192.0.2.1 8998 typ host tcptype passive") == tcp_type::passive);
  CHECK(type_of("1 1 tcp 1518280447 192.0.2.1 8999 typ srflx raddr 10.0.0.1 rport 1 tcptype so") ==
        tcp_type::so);
  CHECK_FALSE(parse_candidate("1 1 tcp 1518280447 192.0.2.1 9 typ host"));
  CHECK_FALSE(parse_candidate("1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype both"));
  CHECK_FALSE(parse_candidate("1 1 udp 1518280447 192.0.2.1 9 typ host tcptype active"));
}

TEST_CASE("candidates: what is not one") {
  for (const auto* line : {"",
                           "candidate:",
                           "end-of-candidates",
                           "1 1 udp 7 192.0.2.1 80",
                           "1 1 udp 7 192.0.2.1 80 typ",
                           "1 1 udp 7 192.0.2.1 80 typ mirror",
                           "1 0 udp 7 192.0.2.1 80 typ host",
                           "1 257 udp 7 192.0.2.1 80 typ host",
                           "1 1 sctp 7 192.0.2.1 80 typ host",
                           "1 1 ssltcp 7 192.0.2.1 443 typ host tcptype passive",
                           "1 1 udp 4294967296 192.0.2.1 80 typ host",
                           "1 1 udp -7 192.0.2.1 80 typ host",
                           "1 1 udp 7 192.0.2.1 65536 typ host",
                           "1 1 udp 7 192.0.2.1 0 typ host",
                           "1 1 udp 7 192.0.2.1 80x typ host",
                           "1 1 udp 7 fe80::1%eth0 80 typ host",
                           "1 1 udp 7 192.0.2.1\" 80 typ host",
                           "a.b 1 udp 7 192.0.2.1 80 typ host",
                           "123456789012345678901234567890123 1 udp 7 192.0.2.1 80 typ host",
                           "1 1 udp 7 192.0.2.1 80 typ host generation",
                           "1 1 udp 7 192.0.2.1 80 typ host rport 65536",
                           "1 1 udp 7 192.0.2.1 80 typ host ufrag abc",
                           "1 1 udp 7 192.0.2.1 80 type host"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_candidate(line));
  }
}

TEST_CASE("candidates: bounds of length") {
  const auto line = [](std::size_t host) {
    return "1 1 udp 7 " + std::string(host, 'a') + " 80 typ host";
  };
  CHECK(parse_candidate(line(253)));
  CHECK_FALSE(parse_candidate(line(254)));
  std::string long_line = "1 1 udp 7 192.0.2.1 80 typ host x ";
  long_line.append(512 - long_line.size(), 'y');
  CHECK(parse_candidate(long_line));
  CHECK_FALSE(parse_candidate(long_line + 'y'));
}

TEST_CASE("candidates: text and back") {
  for (const std::string line :
       {"candidate:1 1 udp 2130706431 192.0.2.1 80 typ host",
        "candidate:abc+/ 256 udp 0 2001:db8::1 65535 typ relay raddr 198.51.100.1 rport 0",
        "candidate:9 1 tcp 4294967295 192.0.2.1 9 typ prflx raddr 10.0.0.1 rport 9 tcptype so "
        "ufrag "
        "abcd"}) {
    CAPTURE(line);
    const auto c = parse_candidate(line);
    REQUIRE(c);
    CHECK(to_string(*c) == line);
  }
}
