#pragma once

// The codes of SIGNALING.md's `error` message that a server sends.

#include <array>
#include <cstdint>
#include <string_view>

namespace nat::hub {

enum class error_code : std::uint8_t {
  bad_message,
  too_large,
  not_registered,
  already_registered,
  bad_peer_id,
  id_taken,
  unauthorized,
  peer_not_found,
  peer_busy,
  rate_limited,
  cluster_unavailable,
};
inline constexpr std::size_t error_codes = 11;

[[nodiscard]] constexpr std::string_view to_string(error_code code) noexcept {
  constexpr std::array<std::string_view, error_codes> names{
      "bad-message", "too-large",    "not-registered",     "already-registered",
      "bad-peer-id", "id-taken",     "unauthorized",       "peer-not-found",
      "peer-busy",   "rate-limited", "cluster-unavailable"};
  return names[static_cast<std::size_t>(code)];
}

}  // namespace nat::hub
