#pragma once

// PCP messages (RFC 6887, 7, 11 and 14): the MAP request, and responses of any opcode. Reading
// checks shape alone; whether a response answers a question of ours is the client's to say.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::portmap {

inline constexpr std::uint16_t server_port = 5351;  // RFC 6887, 19.1; NAT-PMP's as well
inline constexpr std::uint16_t client_port = 5350;  // where announcements go
inline constexpr std::uint8_t udp_protocol = 17;

namespace pcp {

inline constexpr std::uint8_t version = 2;
inline constexpr std::size_t header_size = 24, map_size = 36, max_size = 1100;  // 7

enum class opcode : std::uint8_t { announce = 0, map = 1, peer = 2 };

// 7.4
enum class result : std::uint8_t {
  success = 0,
  unsupp_version = 1,
  not_authorized = 2,
  malformed_request = 3,
  unsupp_opcode = 4,
  unsupp_option = 5,
  malformed_option = 6,
  network_failure = 7,
  no_resources = 8,
  unsupp_protocol = 9,
  user_ex_quota = 10,
  cannot_provide_external = 11,
  address_mismatch = 12,
  excessive_remote_peers = 13,
};

using nonce = std::array<std::byte, 12>;

struct map_request {
  address client;  // the datagram's source; of the same family as `suggested`
  nonce id;
  std::uint16_t internal_port;
  endpoint suggested;      // all zeros: no wish
  std::uint32_t lifetime;  // seconds; 0 deletes
};
[[nodiscard]] bytes write(const map_request&);

struct map_body {
  nonce id;
  std::uint8_t protocol;
  std::uint16_t internal_port;
  endpoint external;  // IPv4-mapped is told as IPv4
};
struct response {
  std::uint8_t version;
  opcode what;
  result code;
  std::uint32_t lifetime;  // of the mapping, or of the error; seconds
  std::uint32_t epoch;     // seconds since the server lost its state
  std::optional<map_body> map;
};
// None where the datagram is no response of version 2 and of its own opcode's size.
[[nodiscard]] std::optional<response> read(byte_view datagram) noexcept;

// Fragments that complete "the gateway refused: …".
[[nodiscard]] std::string_view explain(result) noexcept;

}  // namespace pcp
}  // namespace nat::portmap
