#include "signaling/websocket/decoder.hpp"

#include <cstring>

#include "protocol/base/big_endian.hpp"
#include "signaling/websocket/utf8.hpp"

namespace nat::websocket {

namespace {

bool is_control(opcode op) noexcept {
  return (static_cast<unsigned>(op) & 0x8U) != 0;
}

bool is_known(opcode op) noexcept {
  switch (op) {
    case opcode::continuation:
    case opcode::text:
    case opcode::binary:
    case opcode::close:
    case opcode::ping:
    case opcode::pong:
      return true;
  }
  return false;
}

event violation(close_code code, std::string_view why) {
  return {event::type::violation, why, code};
}
event violation(std::string_view why) {
  return violation(close_code::protocol_error, why);
}

event not_utf8() {
  return violation(close_code::invalid_payload, "a text is not UTF-8");
}

void unmask(byte_span payload, byte_view key) noexcept {
  std::byte pattern[8];
  for (std::size_t i = 0; i < sizeof pattern; ++i) pattern[i] = key[i % 4];
  std::uint64_t mask = 0;
  std::memcpy(&mask, pattern, sizeof mask);
  std::size_t i = 0;
  for (std::uint64_t word; i + sizeof word <= payload.size(); i += sizeof word) {
    std::memcpy(&word, payload.data() + i, sizeof word);
    word ^= mask;
    std::memcpy(payload.data() + i, &word, sizeof word);
  }
  for (; i < payload.size(); ++i) payload[i] ^= pattern[i % 4];
}

// RFC 6455, 7.4: what may stand in a close frame.
bool is_sendable(unsigned code) noexcept {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

event read_close(std::string_view payload) {
  if (payload.empty()) return {event::type::close};
  if (payload.size() == 1) return violation("a close frame holds one octet");
  const auto code = load_be<std::uint16_t>(as_bytes(payload));
  if (!is_sendable(code)) return violation("a close code is not one that may be sent");
  const auto reason = payload.substr(2);
  if (!is_utf8(reason)) {
    return violation(close_code::invalid_payload, "a close reason is not UTF-8");
  }
  return {event::type::close, reason, static_cast<close_code>(code)};
}

byte_span as_writable(std::string& text, std::size_t from) {
  return std::as_writable_bytes(std::span(text)).subspan(from);
}

}  // namespace

void decoder::feed(byte_span octets) {
  if (ended_) return;
  if (kept_.empty()) {
    input_ = octets;
    return;
  }
  kept_.erase(0, done_);
  done_ = 0;
  kept_ += as_text(octets);
  input_ = as_writable(kept_, 0);
}

std::optional<event> decoder::next() {
  if (ended_) return std::nullopt;
  if (deliver_message_) {
    deliver_message_ = false;
    std::string().swap(message_);
  }
  header head{};
  if (const auto wrong = read_header(input_, head)) return last(*wrong);
  if (head.size == 0 || input_.size() - head.size < head.payload_size) {
    keep_rest();
    return std::nullopt;
  }
  const auto payload_size = static_cast<std::size_t>(head.payload_size);
  const auto payload = input_.subspan(head.size, payload_size);
  unmask(payload, byte_view(input_).subspan(head.size - 4, 4));
  input_ = input_.subspan(head.size + payload_size);
  if (!kept_.empty()) done_ += head.size + payload_size;
  return take_frame(head, payload);
}

// Leaves out.size at 0 while the header is incomplete. What can be refused is refused as early as
// its octets are there.
std::optional<event> decoder::read_header(byte_view input, header& out) const {
  if (input.size() < 2) return std::nullopt;
  const auto first = std::to_integer<unsigned>(input[0]),
             second = std::to_integer<unsigned>(input[1]);
  if (first & 0x70U) return violation("a reserved bit is set");
  header head{(first & 0x80U) != 0, static_cast<opcode>(first & 0x0fU), 6, second & 0x7fU};
  if (!is_known(head.op)) return violation("an opcode is reserved");
  if (!(second & 0x80U)) return violation("a frame is not masked");
  if (is_control(head.op) && (!head.fin || head.payload_size > max_control_payload)) {
    return violation("a control frame is fragmented or too long");
  }
  const std::size_t extra = head.payload_size == 126 ? 2 : head.payload_size == 127 ? 8 : 0;
  head.size += extra;
  if (input.size() < 2 + extra) return std::nullopt;
  if (extra == 2) head.payload_size = load_be<std::uint16_t>(input, 2);
  if (extra == 8) head.payload_size = load_be<std::uint64_t>(input, 2);
  if ((extra == 2 && head.payload_size < 126) || (extra == 8 && head.payload_size <= 0xffff) ||
      head.payload_size >> 63) {
    return violation("a length is not in its shortest form");
  }
  if (const auto wrong = violation_of(head)) return wrong;
  if (input.size() >= head.size) out = head;
  return std::nullopt;
}

std::optional<event> decoder::violation_of(const header& head) const {
  if (is_control(head.op)) return std::nullopt;
  if ((head.op == opcode::continuation) != in_message_) {
    return violation(in_message_ ? "a message starts within another"
                                 : "a continuation has nothing to continue");
  }
  if (head.payload_size > max_message_ - message_.size()) return event{event::type::too_large};
  return std::nullopt;
}

std::optional<event> decoder::take_frame(const header& head, byte_span payload) {
  const auto text = as_text(payload);
  switch (head.op) {
    case opcode::ping:
      return event{event::type::ping, text};
    case opcode::pong:
      return event{event::type::pong, text};
    case opcode::close:
      return last(read_close(text));
    default:
      return take_data(head, text);
  }
}

std::optional<event> decoder::take_data(const header& head, std::string_view payload) {
  if (!in_message_ && head.fin) {
    if (head.op == opcode::binary) return event{event::type::binary, payload};
    return is_utf8(payload) ? event{event::type::text, payload} : last(not_utf8());
  }
  if (!in_message_) {
    message_op_ = head.op;
    checked_ = 0;
  }
  message_ += payload;
  in_message_ = !head.fin;
  if (message_op_ == opcode::text && !check_message()) return last(not_utf8());
  if (in_message_) return event{event::type::fragment};
  deliver_message_ = true;
  return event{message_op_ == opcode::binary ? event::type::binary : event::type::text, message_};
}

// Each part as it comes: a message that can't become UTF-8 is not waited for.
bool decoder::check_message() {
  const auto good = whole_characters(std::string_view(message_).substr(checked_));
  if (!good) return false;
  checked_ += *good;
  return in_message_ || checked_ == message_.size();
}

void decoder::keep_rest() {
  if (input_.empty()) {
    std::string().swap(kept_);
  } else if (kept_.empty()) {
    kept_.assign(as_text(input_));
  } else {
    kept_.erase(0, done_);
  }
  done_ = 0;
  input_ = {};
}

event decoder::last(event e) {
  ended_ = true;
  return e;
}

}  // namespace nat::websocket
