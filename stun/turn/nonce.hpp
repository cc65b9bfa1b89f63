#pragma once

// Nonces without state (RFC 8489, 9.2.4; RFC 8656, 5): a time and a keyed hash over it and the
// client's address, so a spoofed request costs no memory and servers that share the key accept each
// other's. Starts with the nonce cookie and the security features (RFC 8489, 9.2).

#include <array>
#include <string_view>

#include "protocol/base/endpoint.hpp"
#include "stun/credentials.hpp"

namespace nat::turn {

inline constexpr std::size_t nonce_size = stun::nonce_cookie_size + 24;
using nonce_key = std::array<std::byte, 32>;

struct nonce {
  std::array<char, nonce_size> text;
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text.size()}; }
};

// `seconds` is any clock that the servers sharing a key share as well.
[[nodiscard]] nonce make_nonce(const nonce_key&, const address& client, std::uint32_t seconds,
                               stun::security_features) noexcept;

enum class nonce_verdict : std::uint8_t { valid, stale, foreign };
[[nodiscard]] nonce_verdict check_nonce(const nonce_key&, std::string_view text,
                                        const address& client, std::uint32_t seconds,
                                        std::uint32_t lifetime_seconds) noexcept;

}  // namespace nat::turn
