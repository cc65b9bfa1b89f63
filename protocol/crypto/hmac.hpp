#pragma once

// Keyed hashes (RFC 2104) over scattered input. OpenSSL inside the body only.

#include <array>
#include <initializer_list>

#include "protocol/base/bytes.hpp"

namespace nat::crypto {

using sha1_digest = std::array<std::byte, 20>;
using sha256_digest = std::array<std::byte, 32>;
using md5_digest = std::array<std::byte, 16>;

// The parts are hashed as if they stood one after the other. No allocation.
[[nodiscard]] sha1_digest hmac_sha1(byte_view key, std::initializer_list<byte_view> parts) noexcept;
[[nodiscard]] sha256_digest hmac_sha256(byte_view key,
                                        std::initializer_list<byte_view> parts) noexcept;

[[nodiscard]] sha1_digest sha1(std::initializer_list<byte_view> parts) noexcept;
[[nodiscard]] sha256_digest sha256(std::initializer_list<byte_view> parts) noexcept;
// For long-term credentials only (RFC 8489, 9.2.2).
[[nodiscard]] md5_digest md5(std::initializer_list<byte_view> parts) noexcept;

// Takes the same time wherever the two differ. False for unequal lengths.
[[nodiscard]] bool equal_constant_time(byte_view a, byte_view b) noexcept;

}  // namespace nat::crypto
