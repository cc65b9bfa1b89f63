#pragma once

// Base64 (RFC 4648, 4) of whole groups into place, and back, without allocating: for nonces. Text
// with padding: protocol/base/base64.hpp.

#include <string_view>

#include "protocol/base/bytes.hpp"

namespace nat::turn {

// Writes exactly 4 characters for each 3 octets; data.size() is a multiple of 3.
void base64_whole(byte_view data, char* out) noexcept;
// The reverse; false for anything but 4 * n alphabet characters for 3 * n octets.
[[nodiscard]] bool unbase64_whole(std::string_view text, byte_span out) noexcept;

}  // namespace nat::turn
