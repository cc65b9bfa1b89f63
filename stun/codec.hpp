#pragma once

// How an attribute's value lies on the wire, one codec for each type of value: RFC 8489, 14;
// RFC 8656, 18; RFC 5780, 7. Used by message_view::get and message_writer::put; padding and the
// attribute header are theirs. Reserved bits are written as zero and not looked at.

#include <algorithm>
#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/bytes.hpp"
#include "stun/attributes.hpp"

namespace nat::stun::codec {

// Text of any kind holds at most this (RFC 8489, 14.8 to 14.10 and 14.14).
inline constexpr std::size_t max_text = 763;

// Addresses that are XORed with the cookie and the transaction id, bytes 4 to 19 of the message.
template <class A>
inline constexpr bool is_xored =
    std::same_as<A, attr::xor_mapped_address> || std::same_as<A, attr::xor_peer_address> ||
    std::same_as<A, attr::xor_relayed_address>;

// Raw values of one size only; 0: any.
template <class A>
inline constexpr std::size_t raw_size = std::same_as<A, attr::message_integrity>          ? 20
                                        : std::same_as<A, attr::message_integrity_sha256> ? 32
                                        : std::same_as<A, attr::userhash>                 ? 32
                                        : std::same_as<A, attr::reservation_token>        ? 8
                                                                                          : 0;

// Integers shorter than 4 octets are followed by reserved ones.
template <std::unsigned_integral Integer>
inline constexpr std::size_t integer_size = sizeof(Integer) < 4 ? 4 : sizeof(Integer);

// `key`: the 16 octets to XOR with, or nothing.
[[nodiscard]] std::optional<endpoint> read_endpoint(byte_view value, byte_view key) noexcept;
void write_endpoint(byte_span value, const endpoint&, byte_view key) noexcept;
[[nodiscard]] std::optional<error_value> read_error(byte_view value) noexcept;
void write_error(byte_span value, const error_value&) noexcept;
[[nodiscard]] std::optional<password_algorithm> read_algorithm(byte_view value) noexcept;

// `message` begins with the STUN header. nullopt: malformed.
template <attribute A>
[[nodiscard]] std::optional<typename A::value> read(byte_view value, byte_view message) noexcept {
  using type = typename A::value;
  if constexpr (std::same_as<type, endpoint>) {
    return read_endpoint(value, is_xored<A> ? message.subspan(4, 16) : byte_view{});
  } else if constexpr (std::same_as<type, std::string_view>) {
    return value.size() <= max_text ? std::optional(as_text(value)) : std::nullopt;
  } else if constexpr (std::same_as<type, byte_view>) {
    return raw_size<A> == 0 || value.size() == raw_size<A> ? std::optional(value) : std::nullopt;
  } else if constexpr (std::same_as<type, flag>) {
    return value.empty() ? std::optional(flag{}) : std::nullopt;
  } else if constexpr (std::same_as<type, bool>) {
    if (value.size() != 1) return std::nullopt;
    return (value[0] & std::byte{0x80}) != std::byte{};
  } else if constexpr (std::same_as<type, error_value>) {
    return read_error(value);
  } else if constexpr (std::same_as<type, change_value>) {
    if (value.size() != 4) return std::nullopt;
    return change_value{(value[3] & std::byte{4}) != std::byte{},
                        (value[3] & std::byte{2}) != std::byte{}};
  } else if constexpr (std::same_as<type, password_algorithm>) {
    return read_algorithm(value);
  } else {
    // RFC 5780, 7.5 leaves open whether RESPONSE-PORT's padding counts.
    const bool bare = std::same_as<A, attr::response_port> && value.size() == sizeof(type);
    if (value.size() != integer_size<type> && !bare) return std::nullopt;
    return load_be<type>(value);
  }
}

// How many octets the value takes, without padding; nullopt where the attribute can't hold it.
template <attribute A>
[[nodiscard]] std::optional<std::size_t> size(const typename A::value& value) noexcept {
  using type = typename A::value;
  if constexpr (std::same_as<type, endpoint>) {
    return value.ip.v4 ? 8 : 20;
  } else if constexpr (std::same_as<type, std::string_view>) {
    return value.size() <= max_text ? std::optional(value.size()) : std::nullopt;
  } else if constexpr (std::same_as<type, byte_view>) {
    return raw_size<A> == 0 || value.size() == raw_size<A> ? std::optional(value.size())
                                                           : std::nullopt;
  } else if constexpr (std::same_as<type, flag>) {
    return 0;
  } else if constexpr (std::same_as<type, bool>) {
    return 1;
  } else if constexpr (std::same_as<type, error_value>) {
    const bool fits = value.code >= 300 && value.code <= 699 && value.reason.size() <= max_text;
    return fits ? std::optional(4 + value.reason.size()) : std::nullopt;
  } else if constexpr (std::same_as<type, change_value> || std::same_as<type, password_algorithm>) {
    return 4;
  } else {
    return integer_size<type>;
  }
}

// `out` is as long as size() said and all zero; `message` begins with the STUN header.
template <attribute A>
void write(byte_span out, const typename A::value& value, byte_view message) noexcept {
  using type = typename A::value;
  if constexpr (std::same_as<type, endpoint>) {
    write_endpoint(out, value, is_xored<A> ? message.subspan(4, 16) : byte_view{});
  } else if constexpr (std::same_as<type, std::string_view>) {
    std::ranges::copy(as_bytes(value), out.begin());
  } else if constexpr (std::same_as<type, byte_view>) {
    std::ranges::copy(value, out.begin());
  } else if constexpr (std::same_as<type, flag>) {
    // Nothing: its presence is the message.
  } else if constexpr (std::same_as<type, bool>) {
    out[0] = value ? std::byte{0x80} : std::byte{};
  } else if constexpr (std::same_as<type, error_value>) {
    write_error(out, value);
  } else if constexpr (std::same_as<type, change_value>) {
    out[3] = (value.change_ip ? std::byte{4} : std::byte{}) |
             (value.change_port ? std::byte{2} : std::byte{});
  } else if constexpr (std::same_as<type, password_algorithm>) {
    store_be(out, 0, static_cast<std::uint16_t>(value));  // neither has parameters
  } else {
    store_be(out, 0, value);
  }
}

}  // namespace nat::stun::codec
