#pragma once

// Is this UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)?

#include <string_view>

namespace nat::websocket {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace nat::websocket
