#pragma once

// STUN methods, classes and attributes as types: RFC 8489, 18; RFC 8656, 18; RFC 8445, 16;
// RFC 5780, 7. Each attribute names its number, and the value that reading gives and writing takes.

#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::stun {

enum class method : std::uint16_t {
  binding = 0x001,
  allocate = 0x003,  // RFC 8656
  refresh = 0x004,
  send = 0x006,
  data = 0x007,
  create_permission = 0x008,
  channel_bind = 0x009,
};

// The class bits where RFC 8489, 5 places them in the message type.
enum class kind : std::uint16_t {
  request = 0x000,
  indication = 0x010,
  success = 0x100,
  error = 0x110,
};

struct message_type {
  stun::method method;
  stun::kind kind;
  bool operator==(const message_type&) const = default;
};

inline constexpr message_type binding_request{method::binding, kind::request};
inline constexpr message_type binding_success{method::binding, kind::success};
inline constexpr message_type binding_error{method::binding, kind::error};
inline constexpr message_type binding_indication{method::binding, kind::indication};

template <class A>
concept attribute = requires {
  typename A::value;
  { A::type } -> std::convertible_to<std::uint16_t>;
};

// A flag attribute has no value; its presence is the message.
struct flag {
  bool operator==(const flag&) const = default;
};

// ERROR-CODE (RFC 8489, 14.8). `reason` points into the message.
struct error_value {
  int code;  // 300 to 699
  std::string_view reason;
  bool operator==(const error_value&) const = default;
};

// CHANGE-REQUEST (RFC 5780, 7.2).
struct change_value {
  bool change_ip;
  bool change_port;
  bool operator==(const change_value&) const = default;
};

enum class password_algorithm : std::uint16_t { md5 = 0x0001, sha256 = 0x0002 };

namespace attr {

// NAT_ATTRIBUTE(name, number, value type): one line an attribute reads best as a table.
#define NAT_ATTRIBUTE(NAME, NUMBER, VALUE)        \
  struct NAME {                                   \
    static constexpr std::uint16_t type = NUMBER; \
    using value = VALUE;                          \
  }

// RFC 8489, 14
NAT_ATTRIBUTE(mapped_address, 0x0001, endpoint);
NAT_ATTRIBUTE(username, 0x0006, std::string_view);
NAT_ATTRIBUTE(message_integrity, 0x0008, byte_view);
NAT_ATTRIBUTE(error_code, 0x0009, error_value);
NAT_ATTRIBUTE(unknown_attributes, 0x000A, byte_view);  // 16-bit types, big-endian
NAT_ATTRIBUTE(realm, 0x0014, std::string_view);
NAT_ATTRIBUTE(nonce, 0x0015, std::string_view);
NAT_ATTRIBUTE(message_integrity_sha256, 0x001C, byte_view);
NAT_ATTRIBUTE(password_algorithm, 0x001D, stun::password_algorithm);
NAT_ATTRIBUTE(userhash, 0x001E, byte_view);  // 32 octets
NAT_ATTRIBUTE(xor_mapped_address, 0x0020, endpoint);
NAT_ATTRIBUTE(password_algorithms, 0x8002, byte_view);  // raw list, in the server's order
NAT_ATTRIBUTE(alternate_domain, 0x8003, std::string_view);
NAT_ATTRIBUTE(software, 0x8022, std::string_view);
NAT_ATTRIBUTE(alternate_server, 0x8023, endpoint);
NAT_ATTRIBUTE(fingerprint, 0x8028, std::uint32_t);
// RFC 8656, 18
NAT_ATTRIBUTE(channel_number, 0x000C, std::uint16_t);
NAT_ATTRIBUTE(lifetime, 0x000D, std::uint32_t);  // seconds
NAT_ATTRIBUTE(xor_peer_address, 0x0012, endpoint);
NAT_ATTRIBUTE(data, 0x0013, byte_view);
NAT_ATTRIBUTE(xor_relayed_address, 0x0016, endpoint);
NAT_ATTRIBUTE(requested_address_family, 0x0017, std::uint8_t);  // 1 IPv4, 2 IPv6
NAT_ATTRIBUTE(even_port, 0x0018, bool);                         // the R bit: reserve the next port
NAT_ATTRIBUTE(requested_transport, 0x0019, std::uint8_t);       // 17 is UDP
NAT_ATTRIBUTE(dont_fragment, 0x001A, flag);
NAT_ATTRIBUTE(reservation_token, 0x0022, byte_view);  // 8 octets
NAT_ATTRIBUTE(additional_address_family, 0x8000, std::uint8_t);
NAT_ATTRIBUTE(address_error_code, 0x8001, byte_view);
NAT_ATTRIBUTE(icmp, 0x8004, byte_view);
// RFC 8445, 16.1
NAT_ATTRIBUTE(priority, 0x0024, std::uint32_t);
NAT_ATTRIBUTE(use_candidate, 0x0025, flag);
NAT_ATTRIBUTE(ice_controlled, 0x8029, std::uint64_t);
NAT_ATTRIBUTE(ice_controlling, 0x802A, std::uint64_t);
// libwebrtc's renomination (draft-thatcher-ice-renomination): the highest value wins
NAT_ATTRIBUTE(nomination, 0xC001, std::uint32_t);
// RFC 5780, 7
NAT_ATTRIBUTE(change_request, 0x0003, change_value);
NAT_ATTRIBUTE(padding, 0x0026, byte_view);
NAT_ATTRIBUTE(response_port, 0x0027, std::uint16_t);
NAT_ATTRIBUTE(response_origin, 0x802B, endpoint);
NAT_ATTRIBUTE(other_address, 0x802C, endpoint);

#undef NAT_ATTRIBUTE

}  // namespace attr

// Every attribute above; a reader lists the comprehension-required ones (type below 0x8000) that it
// does not know, and answers a request that holds one with 420 (RFC 8489, 6.3.1).
[[nodiscard]] bool is_known_attribute(std::uint16_t type) noexcept;

}  // namespace nat::stun
