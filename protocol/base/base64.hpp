#pragma once

// Base64 with padding (RFC 4648, section 4). Decoding is left out: nobody here needs it.

#include <string>

#include "protocol/base/bytes.hpp"

namespace nat {

[[nodiscard]] std::string to_base64(byte_view);

}  // namespace nat
