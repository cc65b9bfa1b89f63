#include "signaling/websocket/frame.hpp"

namespace nat::websocket {

namespace {

constexpr unsigned fin = 0x80;

void append_big_endian(std::string& out, std::uint64_t value, int octets) {
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>((value >> shift) & 0xff);
  }
}

}  // namespace

void append_frame(std::string& out, opcode op, std::string_view payload) {
  out += static_cast<char>(fin | static_cast<unsigned>(op));
  if (payload.size() < 126) {
    out += static_cast<char>(payload.size());
  } else if (payload.size() <= 0xffff) {
    out += static_cast<char>(126);
    append_big_endian(out, payload.size(), 2);
  } else {
    out += static_cast<char>(127);
    append_big_endian(out, payload.size(), 8);
  }
  out += payload;
}

void append_close(std::string& out, close_code code, std::string_view reason) {
  if (code == close_code::no_status) return append_frame(out, opcode::close, {});
  std::string payload;
  append_big_endian(payload, static_cast<std::uint16_t>(code), 2);
  payload += reason.substr(0, max_control_payload - 2);
  append_frame(out, opcode::close, payload);
}

}  // namespace nat::websocket
