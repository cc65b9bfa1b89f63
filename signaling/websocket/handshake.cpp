#include "signaling/websocket/handshake.hpp"

#include <algorithm>

#include "protocol/base/base64.hpp"
#include "protocol/crypto/hmac.hpp"

namespace nat::websocket {

bool is_key(std::string_view key) noexcept {
  return key.size() == 24 && key.ends_with("==") &&
         std::ranges::all_of(key.substr(0, 22), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
         });
}

std::string accept_for(std::string_view key) {
  return to_base64(crypto::sha1({as_bytes(key), as_bytes("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")}));
}

}  // namespace nat::websocket
