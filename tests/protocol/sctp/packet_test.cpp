#include "protocol/sctp/packet.hpp"

#include "protocol/sctp/crc32c.hpp"
#include "protocol/sctp/outstanding.hpp"
#include "protocol/sctp/packet_queue.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::sctp;
using test::from_hex;

namespace {

const std::string header = "1388 1388 01020304 00000000 ";

bytes data_packet(std::uint32_t tsn, std::uint16_t stream, std::size_t size) {
  auto out = from_hex(header + "00 03 0000 00000000 0000 0000 00000035");
  out.resize(out.size() + size);
  out[14] = static_cast<std::byte>((size + 16) >> 8);
  out[15] = static_cast<std::byte>(size + 16);
  for (int i = 0; i < 4; ++i)
    out[16 + static_cast<std::size_t>(i)] = static_cast<std::byte>(tsn >> (24 - 8 * i));
  out[20] = static_cast<std::byte>(stream >> 8);
  out[21] = static_cast<std::byte>(stream);
  return out;
}

bytes sack_packet(std::uint32_t tsn) {
  auto out = from_hex(header + "03 00 0010 00000000 00010000 0000 0000");
  for (int i = 0; i < 4; ++i)
    out[16 + static_cast<std::size_t>(i)] = static_cast<std::byte>(tsn >> (24 - 8 * i));
  return out;
}

}  // namespace

TEST_CASE("CRC-32C gives the known values, at every length") {
  CHECK(crc32c(as_bytes("123456789")) == 0xE3069283U);
  CHECK(crc32c(bytes(32)) == 0x8A9136AAU);  // RFC 3720, B.4
  CHECK(crc32c(bytes(32, std::byte{0xff})) == 0x62A8AB43U);
  CHECK(crc32c({}) == 0U);
  bytes ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
  CHECK(crc32c(ascending) == 0x46DD794EU);
}

TEST_CASE("a packet's checksum is checked, and any flipped bit found") {
  auto packet = data_packet(1, 0, 21);
  write_checksum(packet);
  CHECK(verify_checksum(packet));
  for (std::size_t i = 0; i < packet.size() * 8; ++i) {
    packet[i / 8] ^= static_cast<std::byte>(1U << (i % 8));
    CHECK_FALSE(verify_checksum(packet));
    packet[i / 8] ^= static_cast<std::byte>(1U << (i % 8));
  }
}

TEST_CASE("chunks are read one after the other, and nonsense ends the reading") {
  auto two = sack_packet(5);
  const auto data = data_packet(9, 3, 5);
  two.insert(two.end(), data.begin() + common_header_size, data.end());
  chunk_reader chunks(two);
  CHECK(chunks.next()->type == chunk_type::sack);
  const auto second = chunks.next();
  REQUIRE(second);
  CHECK(second->type == chunk_type::data);
  CHECK(second->body.size() == data_header_size + 5);
  CHECK_FALSE(chunks.next());
  CHECK(is_lone_sack(sack_packet(1)));
  CHECK_FALSE(is_lone_sack(two));
  for (std::size_t cut = 0; cut < two.size(); ++cut) {
    chunk_reader partial(byte_view(two).first(cut));
    std::size_t count = 0;
    while (partial.next()) ++count;
    CHECK(count == (cut >= 28 ? 1 : 0));
  }
  auto zero_length = sack_packet(1);
  zero_length[15] = std::byte{0};
  CHECK_FALSE(chunk_reader(zero_length).next());
}

TEST_CASE("bytes in flight are counted by stream until their TSN is acknowledged") {
  outstanding_bytes o;
  o.taken(3, 300);
  o.taken(70, 100);
  o.packet_out(data_packet(0xfffffffe, 3, 200));
  o.packet_out(data_packet(0xffffffff, 3, 100));
  o.packet_out(data_packet(0, 70, 100));
  CHECK(o.total() == 400);
  o.packet_in(sack_packet(0xfffffffd));  // nothing yet
  CHECK(o.total() == 400);
  o.packet_in(sack_packet(0xfffffffe));
  CHECK(o.of(3) == 100);
  o.packet_out(data_packet(0xffffffff, 3, 100));  // again
  o.packet_in(sack_packet(50));                   // beyond what was sent
  CHECK(o.total() == 200);
  o.packet_in(sack_packet(0));
  CHECK(o.total() == 0);
  CHECK(o.of(3) == 0);
  CHECK(o.of(70) == 0);
  CHECK(o.of(1'000) == 0);
}

TEST_CASE("what was given up without being sent is forgotten when the queue is dry") {
  outstanding_bytes o;
  o.taken(1, 500);
  o.packet_out(data_packet(10, 1, 200));
  o.dry();
  CHECK(o.total() == 0);
  o.taken(1, 50);
  o.packet_out(data_packet(11, 1, 50));
  o.packet_in(sack_packet(11));
  CHECK(o.total() == 0);
}

TEST_CASE("the packet queue gives back in order, drops its last, and is bounded") {
  packet_queue q(1'000);
  CHECK(q.push(bytes(400, std::byte{1})).size() == 400);
  CHECK(q.push(bytes(300, std::byte{2})).size() == 300);
  CHECK(q.push(bytes(301, std::byte{3})).empty());
  CHECK(q.back().size() == 300);
  q.drop_back();
  CHECK(q.push(bytes(5, std::byte{4})).size() == 5);
  CHECK(q.pop()->size() == 400);
  CHECK(q.pop()->front() == std::byte{4});
  CHECK_FALSE(q.pop());
  CHECK(q.push(bytes(1'000)).size() == 1'000);
}
