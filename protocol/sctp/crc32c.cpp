#include "protocol/sctp/crc32c.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace nat::sctp {
namespace {

constexpr std::size_t checksum_offset = 8, checksum_size = 4;  // RFC 9260, 3.1

constexpr auto table = [] {
  std::array<std::uint32_t, 256> out{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) ? 0x82F63B78U : 0U);
    out[i] = value;
  }
  return out;
}();

std::uint32_t update_by_table(std::uint32_t crc, byte_view data) noexcept {
  for (const auto octet : data) {
    crc = (crc >> 8) ^ table[(crc ^ std::to_integer<std::uint32_t>(octet)) & 0xffU];
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t update_by_instruction(std::uint32_t crc,
                                                                      byte_view data) noexcept {
  std::uint64_t wide = crc;
  std::size_t i = 0;
  for (; i + 8 <= data.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, data.data() + i, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; i < data.size(); ++i) {
    narrow = __builtin_ia32_crc32qi(narrow, std::to_integer<std::uint8_t>(data[i]));
  }
  return narrow;
}

std::uint32_t update(std::uint32_t crc, byte_view data) noexcept {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  return has_instruction ? update_by_instruction(crc, data) : update_by_table(crc, data);
}
#else
std::uint32_t update(std::uint32_t crc, byte_view data) noexcept {
  return update_by_table(crc, data);
}
#endif

std::uint32_t of_packet(byte_view packet) noexcept {
  static constexpr std::array<std::byte, checksum_size> zeros{};
  auto crc = update(~0U, packet.first(checksum_offset));
  crc = update(crc, zeros);
  return ~update(crc, packet.subspan(checksum_offset + checksum_size));
}

}  // namespace

std::uint32_t crc32c(byte_view data) noexcept {
  return ~update(~0U, data);
}

// The field holds the value with its least significant octet first (RFC 9260, appendix A).
void write_checksum(byte_span packet) noexcept {
  const auto crc = of_packet(packet);
  for (std::size_t i = 0; i < checksum_size; ++i) {
    packet[checksum_offset + i] = static_cast<std::byte>(crc >> (8 * i));
  }
}

bool verify_checksum(byte_view packet) noexcept {
  std::uint32_t carried = 0;
  for (std::size_t i = 0; i < checksum_size; ++i) {
    carried |= std::to_integer<std::uint32_t>(packet[checksum_offset + i]) << (8 * i);
  }
  return carried == of_packet(packet);
}

}  // namespace nat::sctp
