#include "stun/turn/channel_data.hpp"

#include <array>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::turn;
using nat::test::from_hex;

TEST_CASE("ChannelData comes back as it went, padded and not") {
  std::array<std::byte, 64> buffer;
  for (std::size_t size = 0; size <= 9; ++size) {
    const bytes payload(size, std::byte{0xab});
    for (const bool padded : {false, true}) {
      buffer.fill(std::byte{0xff});
      const auto wire = write_channel_data(buffer, 0x4001, payload, padded);
      REQUIRE(wire);
      CHECK(wire->size() == channel_data_size(size, padded));
      CHECK(wire->size() == (padded ? (4 + size + 3) / 4 * 4 : 4 + size));
      const auto read = parse_channel_data(*wire);
      REQUIRE(read);
      CHECK(read->number == 0x4001);
      CHECK(to_bytes(read->payload) == payload);
      for (std::size_t cut = 0; cut < 4 + size; ++cut) CHECK(!parse_channel_data(wire->first(cut)));
      for (std::size_t i = 4 + size; i < wire->size(); ++i) CHECK((*wire)[i] == std::byte{0});
    }
  }
}

TEST_CASE("what is not ChannelData") {
  CHECK(!parse_channel_data(from_hex("3fff 0000")));
  CHECK(!parse_channel_data(from_hex("8000 0000")));
  CHECK(parse_channel_data(from_hex("7fff 0000")));
  CHECK(parse_channel_data(from_hex("4fff 0000")));
  CHECK(!parse_channel_data(from_hex("4000 0001")));
  std::array<std::byte, 7> small;
  CHECK(!write_channel_data(small, 0x4000, from_hex("01020304"), false));
  CHECK(!write_channel_data(small, 0x4000, from_hex("0102030405"), true));
  bytes large(0x10000), room(0x10010);
  CHECK(!write_channel_data(room, 0x4000, large, false));
  CHECK(write_channel_data(room, 0x4000, byte_view(large).first(0xffff), true)->size() == 0x10004);
}
