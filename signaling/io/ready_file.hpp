#pragma once

// --ready-file: the real addresses as JSON, there as a whole or not at all.

#include <optional>
#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"

namespace nat::signaling::io {

struct server_addresses {
  std::vector<endpoint> websocket, stun, stun_alternate;
  std::optional<endpoint> admin;
  bool tls = false;  // on the WebSocket addresses

  [[nodiscard]] const char* scheme() const noexcept { return tls ? "wss://" : "ws://"; }
};

[[nodiscard]] std::string to_json(const server_addresses&);
// Throws startup_error.
void write_ready_file(const std::string& file, const server_addresses&);

}  // namespace nat::signaling::io
