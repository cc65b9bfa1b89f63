#pragma once

// What reading and writing a message share; nobody else includes this. RFC 8489, 5 and 14.

#include <cstddef>
#include <cstdint>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/attributes.hpp"

namespace nat::stun::wire {

inline constexpr std::size_t attribute_header = 4;
inline constexpr std::size_t channel_data_header = 4;         // RFC 8656, 12.4
inline constexpr std::size_t fingerprint_size = 8;            // with its header
inline constexpr std::uint32_t fingerprint_xor = 0x5354554e;  // RFC 8489, 14.7
inline constexpr std::uint16_t first_optional_type = 0x8000;  // RFC 8489, 14
inline constexpr std::size_t max_length = 65532;              // 16 bits, a multiple of 4

// RFC 8489, 5: the 12 bits of the method lie around the two of the class.
[[nodiscard]] constexpr std::uint16_t pack_type(message_type type) noexcept {
  const auto m = static_cast<unsigned>(type.method);
  return static_cast<std::uint16_t>((m & 0x000fU) | ((m & 0x0070U) << 1) | ((m & 0x0f80U) << 2) |
                                    static_cast<unsigned>(type.kind));
}

[[nodiscard]] constexpr message_type unpack_type(std::uint16_t bits) noexcept {
  const auto m = (bits & 0x000fU) | ((bits >> 1) & 0x0070U) | ((bits >> 2) & 0x0f80U);
  return {static_cast<method>(m), static_cast<kind>(bits & 0x0110U)};
}

// The integrity value over a message that ends where the integrity attribute begins. The header's
// length is taken as if the message ended behind that attribute (RFC 8489, 14.5), so the length
// in the buffer does not matter.
template <class Digest, class Hmac>
[[nodiscard]] Digest seal(byte_view before, byte_view key, Hmac hmac) noexcept {
  std::array<std::byte, 4> head{before[0], before[1]};
  store_be(byte_span(head), 2,
           static_cast<std::uint16_t>(before.size() - 20 + attribute_header +
                                      std::tuple_size_v<Digest>));
  return hmac(key, {byte_view(head), before.subspan(head.size())});
}

[[nodiscard]] inline crypto::sha1_digest seal_sha1(byte_view before, byte_view key) noexcept {
  return seal<crypto::sha1_digest>(before, key, crypto::hmac_sha1);
}
[[nodiscard]] inline crypto::sha256_digest seal_sha256(byte_view before, byte_view key) noexcept {
  return seal<crypto::sha256_digest>(before, key, crypto::hmac_sha256);
}

// Truncated SHA-256 (RFC 8489, 14.6) is refused: no usage here allows it.
template <class Digest>
[[nodiscard]] bool seal_holds(const Digest& computed, byte_view received) noexcept {
  return crypto::equal_constant_time(computed, received);
}

}  // namespace nat::stun::wire
