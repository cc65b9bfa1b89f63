#include "protocol/base/endpoint.hpp"

#include "tests/check.hpp"

using namespace nat;

TEST_CASE("addresses: text and back, in the form of RFC 5952") {
  for (const auto* text :
       {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
        "2001:db8:0:1:1:1:1:1", "1:0:0:2::3", "::ffff:192.0.2.1", "fe80::1:0:0:2"}) {
    CAPTURE(text);
    const auto parsed = parse_address(text);
    REQUIRE(parsed);
    CHECK(to_string(*parsed) == text);
  }
  CHECK(to_string(*parse_address("2001:DB8:0:0:1:0:0:1")) == "2001:db8::1:0:0:1");
}

TEST_CASE("addresses: what is not one") {
  for (const auto* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.1.1.1",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           "1..2.3",
                           ":",
                           ":::",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "::12345",
                           "::g",
                           "1:",
                           ":1",
                           "fe80::1%eth0",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::1.2.3",
                           "1.2.3.4::",
                           "1:1.2.3.4::2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_address(text));
  }
}

TEST_CASE("endpoints") {
  CHECK(to_string(*parse_endpoint("192.0.2.1:3478")) == "192.0.2.1:3478");
  CHECK(to_string(*parse_endpoint("[2001:db8::1]:65535")) == "[2001:db8::1]:65535");
  for (const auto* text : {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                           "2001:db8::1:80", "[192.0.2.1]:80", "[::1]", "[]:1", ":80"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_endpoint(text));
  }
}

TEST_CASE("kinds of addresses, at the edges of their ranges") {
  const auto at = [](const char* text) { return *parse_address(text); };
  CHECK(is_private(at("10.255.255.255")));
  CHECK(is_private(at("172.16.0.0")));
  CHECK_FALSE(is_private(at("172.32.0.0")));
  CHECK(is_private(at("100.127.255.255")));
  CHECK_FALSE(is_private(at("100.128.0.0")));
  CHECK(is_private(at("fd00::1")));
  CHECK_FALSE(is_private(at("fe80::1")));
  CHECK(is_loopback(at("127.255.0.1")));
  CHECK(is_loopback(at("::1")));
  CHECK_FALSE(is_loopback(at("::")));
  CHECK(is_unspecified(at("::")));
  CHECK(is_link_local(at("169.254.1.1")));
  CHECK(is_link_local(at("febf::")));
  CHECK_FALSE(is_link_local(at("fec0::")));
  CHECK(is_multicast(at("239.0.0.1")));
  CHECK(is_multicast(at("ff02::1")));
  CHECK(unmapped(at("::ffff:10.0.0.1")) == at("10.0.0.1"));
  CHECK(unmapped(at("::fffe:10.0.0.1")) == at("::fffe:10.0.0.1"));
}
