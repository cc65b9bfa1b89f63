#pragma once

// The answer to Sec-WebSocket-Key (RFC 6455, 4.2.2).

#include <string>
#include <string_view>

namespace nat::websocket {

// A key is 24 characters of base64 for 16 octets (RFC 6455, 4.1).
[[nodiscard]] bool is_key(std::string_view) noexcept;
[[nodiscard]] std::string accept_for(std::string_view key);

}  // namespace nat::websocket
