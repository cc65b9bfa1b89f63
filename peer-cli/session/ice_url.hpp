#pragma once

// stun:, stuns:, turn: and turns: URIs, RFC 7064 and 7065.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "protocol/base/endpoint.hpp"

namespace nat::session {

struct ice_url {
  bool turn = false;
  bool tls = false;
  transport proto = transport::udp;
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 3478;
  bool operator==(const ice_url&) const = default;
};

// The error completes "bad ICE server URL: …".
[[nodiscard]] std::expected<ice_url, std::string> parse_ice_url(std::string_view text);

}  // namespace nat::session
