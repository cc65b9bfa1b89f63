#include "protocol/datachannel/dcep.hpp"

#include "tests/check.hpp"

using namespace nat;
using namespace nat::datachannel;
using test::from_hex;

TEST_CASE("OPEN is written as RFC 8832, 5.1 lays it out") {
  CHECK(make_open({.label = "ab", .protocol = "xyz"}) ==
        from_hex("03 00 0100 00000000 0002 0003 6162 78797a"));
  CHECK(make_open({.label = "", .ordered = false, .max_retransmits = 5}) ==
        from_hex("03 81 0100 00000005 0000 0000"));
  CHECK(make_open({.label = "", .max_lifetime_ms = 300}) ==
        from_hex("03 02 0100 0000012c 0000 0000"));
  CHECK(make_ack() == from_hex("02"));
}

TEST_CASE("every kind of channel reads back as it was written") {
  for (const bool ordered : {true, false}) {
    for (int kind = 0; kind < 3; ++kind) {
      channel_options o{.label = "label \xf0\x9f\x98\x80", .protocol = "p", .ordered = ordered};
      if (kind == 1) o.max_retransmits = 65'535;
      if (kind == 2) o.max_lifetime_ms = 0;
      CHECK(parse_open(make_open(o)) == o);
    }
  }
}

TEST_CASE("OPEN cut anywhere, too long, or of an unknown type is refused") {
  const auto good = make_open({.label = "label", .protocol = "protocol"});
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    CHECK_FALSE(parse_open(byte_view(good).first(cut)));
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  CHECK_FALSE(parse_open(longer));
  auto unknown = good;
  unknown[1] = std::byte{0x03};
  CHECK_FALSE(parse_open(unknown));
  CHECK_FALSE(parse_open(make_open({.label = std::string(max_name_bytes + 1, 'x')})));
  CHECK(parse_open(make_open({.label = std::string(max_name_bytes, 'x')})));
}

TEST_CASE("a reliability parameter beyond 16 bits is taken as the largest") {
  const auto o = parse_open(from_hex("03 01 0100 00010000 0000 0000"));
  REQUIRE(o);
  CHECK(o->max_retransmits == 65'535);
}
