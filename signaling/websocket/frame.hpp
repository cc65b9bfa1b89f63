#pragma once

// WebSocket frames as a server writes them (RFC 6455, section 5): never masked, never fragmented,
// no extension. Compression is left out on purpose: it costs 90 KB a connection and invites
// decompression bombs.

#include <cstdint>
#include <string>
#include <string_view>

namespace nat::websocket {

enum class opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xa,
};

// RFC 6455, 7.4.1, and one of the private range (7.4.2).
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  no_status = 1005,  // never on the wire
  invalid_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  try_again_later = 1013,  // IANA's registry
  superseded = 4001,       // another connection showed this name's resume secret
};

inline constexpr std::size_t max_control_payload = 125;  // RFC 6455, 5.5
inline constexpr std::size_t max_frame_overhead = 10;    // of what a server writes

// Appends one whole frame.
void append_frame(std::string& out, opcode, std::string_view payload);
// The reason is cut to what fits a control frame; no_status gives an empty payload.
void append_close(std::string& out, close_code, std::string_view reason);

}  // namespace nat::websocket
