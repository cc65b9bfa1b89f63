#include "stun/codec.hpp"

namespace nat::stun::codec {
namespace {

constexpr std::byte family_v4{1}, family_v6{2};

}  // namespace

// RFC 8489, 14.1 and 14.2.
std::optional<endpoint> read_endpoint(byte_view value, byte_view key) noexcept {
  const bool v4 = value.size() == 8 && value[1] == family_v4;
  if (!v4 && (value.size() != 20 || value[1] != family_v6)) return std::nullopt;
  endpoint out;
  out.ip.v4 = v4;
  out.port = load_be<std::uint16_t>(value, 2);
  std::ranges::copy(value.subspan(4), out.ip.octets.begin());
  if (!key.empty()) {
    out.port ^= load_be<std::uint16_t>(key);
    for (std::size_t i = 0; i + 4 < value.size(); ++i) out.ip.octets[i] ^= key[i];
  }
  return out;
}

void write_endpoint(byte_span value, const endpoint& from, byte_view key) noexcept {
  value[1] = from.ip.v4 ? family_v4 : family_v6;
  store_be(value, 2, from.port);
  std::ranges::copy(from.ip.view(), value.begin() + 4);
  if (key.empty()) return;
  value[2] ^= key[0];
  value[3] ^= key[1];
  for (std::size_t i = 0; i + 4 < value.size(); ++i) value[i + 4] ^= key[i];
}

// RFC 8489, 14.8: the hundreds digit in three bits, then the rest.
std::optional<error_value> read_error(byte_view value) noexcept {
  if (value.size() < 4 || value.size() > 4 + max_text) return std::nullopt;
  const auto hundreds = std::to_integer<int>(value[2] & std::byte{7});
  const auto rest = std::to_integer<int>(value[3]);
  if (hundreds < 3 || hundreds > 6 || rest > 99) return std::nullopt;
  return error_value{hundreds * 100 + rest, as_text(value.subspan(4))};
}

void write_error(byte_span value, const error_value& from) noexcept {
  value[2] = static_cast<std::byte>(from.code / 100);
  value[3] = static_cast<std::byte>(from.code % 100);
  std::ranges::copy(as_bytes(from.reason), value.begin() + 4);
}

// RFC 8489, 14.12: a number, and parameters that neither algorithm has.
std::optional<password_algorithm> read_algorithm(byte_view value) noexcept {
  if (value.size() < 4) return std::nullopt;
  if (load_be<std::uint16_t>(value, 2) > value.size() - 4) return std::nullopt;
  return static_cast<password_algorithm>(load_be<std::uint16_t>(value));
}

}  // namespace nat::stun::codec
