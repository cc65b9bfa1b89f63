#pragma once

// Which protocol a datagram belongs to, by its first byte: RFC 7983, 7, with the TURN channel
// range as RFC 8656, 12 narrows it. Tells nothing about validity.

#include <cstdint>

#include "protocol/base/bytes.hpp"

namespace nat {

enum class datagram_kind : std::uint8_t { stun, dtls, turn_channel, unknown };

[[nodiscard]] inline datagram_kind classify(byte_view datagram) noexcept {
  if (datagram.empty()) return datagram_kind::unknown;
  const auto first = std::to_integer<unsigned>(datagram[0]);
  if (first <= 3) return datagram_kind::stun;
  if (first >= 20 && first <= 63) return datagram_kind::dtls;
  if (first >= 64 && first <= 79) return datagram_kind::turn_channel;
  return datagram_kind::unknown;
}

}  // namespace nat
