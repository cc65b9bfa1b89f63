#pragma once

// CRC-32C as SCTP uses it (RFC 9260, appendix A): polynomial 0x1EDC6F41 reflected.

#include <cstdint>

#include "protocol/base/bytes.hpp"

namespace nat::sctp {

[[nodiscard]] std::uint32_t crc32c(byte_view data) noexcept;

// Of a whole packet with its checksum field taken as zero, ready for that field.
void write_checksum(byte_span packet) noexcept;
[[nodiscard]] bool verify_checksum(byte_view packet) noexcept;

}  // namespace nat::sctp
