#pragma once

// What both sides of an authenticated exchange compute: keys (RFC 8489, 9.1.1, 9.2.2 and 18.5.1),
// USERHASH (14.4), the nonce cookie that guards against bid-down (9.2.1) and the choice among
// PASSWORD-ALGORITHMS (14.11). Pure functions; the client's state is in long_term.hpp.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "stun/attributes.hpp"

namespace nat::stun {

// Text as credentials are compared: OpaqueString (RFC 8265, 4.2) without its normalization, which
// needs Unicode's tables; text that comes in NFC, as keyboards and files give it, is right as it
// is. Spaces outside ASCII become U+0020. nullopt: empty, control characters, or not UTF-8.
[[nodiscard]] std::optional<std::string> opaque_string(std::string_view text);

struct long_term_key {
  std::array<std::byte, 32> octets{};
  std::size_t size = 0;  // 16 for MD5, 32 for SHA-256
  [[nodiscard]] byte_view view() const noexcept { return byte_view(octets).first(size); }
};

// Of prepared text.
[[nodiscard]] long_term_key make_long_term_key(password_algorithm, std::string_view username,
                                               std::string_view realm,
                                               std::string_view password) noexcept;
[[nodiscard]] std::array<std::byte, 32> make_userhash(std::string_view username,
                                                      std::string_view realm) noexcept;

// What a server says about itself in the nonce, where nobody can take it away unnoticed.
struct security_features {
  bool password_algorithms = false;
  bool username_anonymity = false;
  bool operator==(const security_features&) const = default;
};

inline constexpr std::size_t nonce_cookie_size = 13;
// For servers: what a nonce begins with.
[[nodiscard]] std::array<char, nonce_cookie_size> make_nonce_cookie(security_features) noexcept;
// nullopt: no cookie, a server from before RFC 8489.
[[nodiscard]] std::optional<security_features> read_nonce_cookie(std::string_view nonce) noexcept;

// The first algorithm of a PASSWORD-ALGORITHMS value that this library has; nullopt: none, or the
// list is malformed.
[[nodiscard]] std::optional<password_algorithm> choose_algorithm(byte_view algorithms) noexcept;
// For servers: the value that offers SHA-256, then MD5.
[[nodiscard]] byte_view offered_algorithms() noexcept;

}  // namespace nat::stun
