#include "tests/sim/pcap.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>

#include "tests/check.hpp"
#include "tests/sim/probe.hpp"
#include "tests/sim/world.hpp"

using namespace nat;
using namespace nat::sim;
using nat::test::from_hex;

TEST_CASE("an IPv4 datagram has the checksums that RFC 768 and 791 ask for") {
  const packet p{.source = *parse_endpoint("192.168.0.1:1000"),
                 .destination = *parse_endpoint("192.168.0.199:2000"),
                 .data = from_hex("6869")};
  // The sums were computed apart, in Python.
  CHECK(ip_packet(p) == from_hex("4500 001e 0000 4000 4011 b8b6 c0a80001 c0a800c7"
                                 "03e8 07d0 000a 09a0 6869"));
}

TEST_CASE("an IPv6 datagram and an ICMP error have the right protocol and size") {
  const packet v6{.source = *parse_endpoint("[2001:db8::1]:1"),
                  .destination = *parse_endpoint("[2001:db8::2]:2"),
                  .data = from_hex("00")};
  const auto octets = ip_packet(v6);
  CHECK(octets.size() == 49);
  CHECK(octets[6] == std::byte{17});
  packet refused{.source = *parse_endpoint("192.0.2.1:1"),
                 .destination = *parse_endpoint("192.0.2.2:2"),
                 .unreachable = true};
  const auto error = ip_packet(refused);
  CHECK(error.size() == 56);
  CHECK(error[9] == std::byte{1});
  CHECK(error[20] == std::byte{3});
  CHECK(error[21] == std::byte{3});
}

TEST_CASE("a captured run holds each packet once for each network it enters") {
  const std::string file = "nat_sim_test.pcap";
  {
    world w{1};
    w.capture(file);
    auto& s = w.add_site(w.internet(), {});
    auto& inside = w.add_host(s.inside());
    auto& outside = w.add_host(w.internet());
    probe a, b;
    w.attach(inside, a);
    w.attach(outside, b);
    a.say(inside.bind(a, inside.v4()), outside.bind(b, outside.v4()), "four");
    w.run_for(std::chrono::seconds{1});
    REQUIRE(b.got.size() == 1);
  }
  std::ifstream in(file, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  std::remove(file.c_str());
  REQUIRE(all.size() == 24 + 2 * (16 + 32));
  CHECK(all.substr(0, 4) == "\x4d\x3c\xb2\xa1");
  CHECK(all[20] == 101);
}
