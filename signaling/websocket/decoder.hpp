#pragma once

// What a client sends on a WebSocket, from octets to messages (RFC 6455, section 5): frames of any
// fragmentation, control frames in between, unmasking, and every violation told apart by its close
// code. Extensions are not negotiated, so any RSV bit is a violation.
//
//   1. feed(octets)           what a read gave; unmasked in place
//   2. next() until nullopt   each event's views live until the following call
//
// An idle decoder owns no memory. What is incomplete is kept, and never more than max_message
// octets of message plus one frame header: a length that is announced reserves nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "signaling/websocket/frame.hpp"

namespace nat::websocket {

struct event {
  enum class type : std::uint8_t {
    text,      // a whole message, valid UTF-8 (each part is checked when it comes)
    binary,    // a whole message
    fragment,  // a part of a message came; counted so that empty parts are no free lunch
    ping,      // payload to be echoed
    pong,
    close,      // code and payload (the reason) as sent; no_status where absent
    too_large,  // the message would exceed max_message; nothing of it is kept
    violation,  // the client broke the protocol: code says how
  };
  type what;
  std::string_view payload{};
  close_code code = close_code::no_status;
};

class decoder {
 public:
  explicit decoder(std::size_t max_message) noexcept : max_message_(max_message) {}

  void feed(byte_span octets);
  // After close, too_large or violation there is nothing more, whatever is fed.
  [[nodiscard]] std::optional<event> next();
  // Octets of what is incomplete.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.size() + message_.size(); }

 private:
  struct header {
    bool fin;
    opcode op;
    std::size_t size;  // of the header itself
    std::uint64_t payload_size;
  };
  [[nodiscard]] std::optional<event> read_header(byte_view input, header& out) const;
  [[nodiscard]] std::optional<event> violation_of(const header&) const;
  [[nodiscard]] std::optional<event> take_frame(const header&, byte_span payload);
  [[nodiscard]] std::optional<event> take_data(const header&, std::string_view payload);
  [[nodiscard]] bool check_message();
  void keep_rest();
  event last(event);

  std::size_t max_message_;
  byte_span input_{};        // what is being read: the caller's octets or kept_
  std::string kept_;         // an incomplete frame
  std::string message_;      // the parts of a fragmented message so far
  std::size_t done_ = 0;     // octets at the front of kept_ that have been read
  std::size_t checked_ = 0;  // of message_, where it is text: whole characters
  opcode message_op_ = opcode::text;
  bool in_message_ = false, ended_ = false, deliver_message_ = false;
};

}  // namespace nat::websocket
