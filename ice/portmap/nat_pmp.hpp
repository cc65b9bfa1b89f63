#pragma once

// NAT-PMP messages (RFC 6886): the external address, and mapping UDP. Nothing in them tells one
// client's answer from another's but the internal port; the client checks where they come from.

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::portmap::nat_pmp {

enum class result : std::uint16_t {  // 3.5
  success = 0,
  unsupported_version = 1,
  not_authorized = 2,
  network_failure = 3,
  out_of_resources = 4,
  unsupported_opcode = 5,
};

[[nodiscard]] bytes write_address_request();  // 3.2
// 3.3; lifetime in seconds, 0 with external port 0 deletes (3.4).
[[nodiscard]] bytes write_map_request(std::uint16_t internal_port, std::uint16_t suggested_port,
                                      std::uint32_t lifetime);

struct map_body {
  std::uint16_t internal_port, external_port;
  std::uint32_t lifetime;
};
struct response {
  std::uint8_t operation;  // of the request: 0 address, 1 UDP
  result code;
  std::uint32_t epoch;  // 3.6, seconds
  std::optional<address> external;
  std::optional<map_body> map;
};
// None where the datagram is no response of version 0 to either question, or is too short to be
// what it says.
[[nodiscard]] std::optional<response> read(byte_view datagram) noexcept;

[[nodiscard]] std::string_view explain(result) noexcept;

}  // namespace nat::portmap::nat_pmp
