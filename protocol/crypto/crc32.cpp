#include "protocol/crypto/crc32.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace nat::crypto {
namespace {

constexpr std::uint32_t reflected_polynomial = 0xEDB88320;

// tables[k][b]: what octet b does to the remainder, k octets before the end of its group of 8
// ("slicing by 8").
using slice_tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr slice_tables make_tables() {
  slice_tables tables{};
  for (std::uint32_t octet = 0; octet < 256; ++octet) {
    auto remainder = octet;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? reflected_polynomial : 0);
    }
    tables[0][octet] = remainder;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t octet = 0; octet < 256; ++octet) {
      const auto before = tables[k - 1][octet];
      tables[k][octet] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr slice_tables tables = make_tables();

std::uint32_t load_le(const std::byte* from) noexcept {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return std::endian::native == std::endian::little ? value : __builtin_bswap32(value);
}

}  // namespace

std::uint32_t crc32(byte_view data, std::uint32_t seed) noexcept {
  auto remainder = ~seed;
  auto at = data.data();
  auto left = data.size();
  for (; left >= 8; at += 8, left -= 8) {
    const auto low = remainder ^ load_le(at), high = load_le(at + 4);
    remainder = tables[7][low & 0xff] ^ tables[6][(low >> 8) & 0xff] ^
                tables[5][(low >> 16) & 0xff] ^ tables[4][low >> 24] ^ tables[3][high & 0xff] ^
                tables[2][(high >> 8) & 0xff] ^ tables[1][(high >> 16) & 0xff] ^
                tables[0][high >> 24];
  }
  for (; left > 0; ++at, --left) {
    remainder = (remainder >> 8) ^ tables[0][(remainder ^ std::to_integer<unsigned>(*at)) & 0xff];
  }
  return ~remainder;
}

}  // namespace nat::crypto
