#pragma once

// CRC-32 as FINGERPRINT uses it: ISO 3309, polynomial 0x04C11DB7 reflected (RFC 8489, 14.7).

#include <cstdint>

#include "protocol/base/bytes.hpp"

namespace nat::crypto {

[[nodiscard]] std::uint32_t crc32(byte_view data, std::uint32_t seed = 0) noexcept;

}  // namespace nat::crypto
