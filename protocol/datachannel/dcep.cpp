#include "protocol/datachannel/dcep.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"

namespace nat::datachannel {
namespace {

constexpr std::byte message_ack{0x02}, message_open{0x03};  // RFC 8832, 8.2.1
constexpr std::size_t open_header = 12;
constexpr unsigned unordered_bit = 0x80;
enum class reliability : unsigned { reliable = 0, retransmits = 1, lifetime = 2 };
constexpr std::uint16_t normal_priority = 256;  // RFC 8831, 6.4

std::uint16_t clamp16(std::uint32_t value) {
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(value, 65'535));
}

}  // namespace

bytes make_open(const channel_options& o) {
  const auto kind = o.max_retransmits   ? reliability::retransmits
                    : o.max_lifetime_ms ? reliability::lifetime
                                        : reliability::reliable;
  const std::uint32_t parameter = o.max_retransmits   ? *o.max_retransmits
                                  : o.max_lifetime_ms ? *o.max_lifetime_ms
                                                      : 0U;
  bytes out(open_header + o.label.size() + o.protocol.size());
  out[0] = message_open;
  out[1] = static_cast<std::byte>(static_cast<unsigned>(kind) | (o.ordered ? 0U : unordered_bit));
  store_be<std::uint16_t>(out, 2, normal_priority);
  store_be<std::uint32_t>(out, 4, parameter);
  store_be(out, 8, static_cast<std::uint16_t>(o.label.size()));
  store_be(out, 10, static_cast<std::uint16_t>(o.protocol.size()));
  auto to = out.begin() + open_header;
  to = std::ranges::copy(as_bytes(o.label), to).out;
  std::ranges::copy(as_bytes(o.protocol), to);
  return out;
}

bytes make_ack() {
  return {message_ack};
}

std::optional<channel_options> parse_open(byte_view message) {
  if (message.size() < open_header || !is_open(message)) return std::nullopt;
  const auto type = std::to_integer<unsigned>(message[1]);
  const auto parameter = load_be<std::uint32_t>(message, 4);
  const std::size_t label = load_be<std::uint16_t>(message, 8);
  const std::size_t protocol = load_be<std::uint16_t>(message, 10);
  if (label > max_name_bytes || protocol > max_name_bytes ||
      message.size() != open_header + label + protocol) {
    return std::nullopt;
  }
  channel_options out;
  out.label = as_text(message.subspan(open_header, label));
  out.protocol = as_text(message.subspan(open_header + label, protocol));
  out.ordered = (type & unordered_bit) == 0;
  switch (static_cast<reliability>(type & ~unordered_bit)) {
    case reliability::reliable:
      return out;
    case reliability::retransmits:
      out.max_retransmits = clamp16(parameter);
      return out;
    case reliability::lifetime:
      out.max_lifetime_ms = clamp16(parameter);
      return out;
  }
  return std::nullopt;
}

bool is_open(byte_view message) noexcept {
  return !message.empty() && message[0] == message_open;
}

bool is_ack(byte_view message) noexcept {
  return !message.empty() && message[0] == message_ack;
}

}  // namespace nat::datachannel
