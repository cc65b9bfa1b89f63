#pragma once

// A candidate: a place where a peer may be reached, RFC 8445, 5.1. One component only.

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/endpoint.hpp"

namespace nat::ice {

enum class candidate_kind : std::uint8_t { host, server_reflexive, peer_reflexive, relayed };

enum class role : std::uint8_t { controlling, controlled };

// ufrag: 4 to 256, password: 22 to 256 ice-chars (RFC 8839, 5.4).
struct credentials {
  std::string ufrag, password;
  bool operator==(const credentials&) const = default;
};

// RFC 6544, 4.5; only where proto is tcp.
enum class tcp_type : std::uint8_t { active, passive, simultaneous_open };

// `base` is the door to send from (path::local): equal to `address` for host and relayed
// candidates. For a remote candidate `base` is meaningless and equals `address`.
struct candidate {
  candidate_kind kind = candidate_kind::host;
  transport proto = transport::udp;
  endpoint address;
  endpoint base;
  std::uint32_t priority = 0;
  std::string foundation;
  std::optional<endpoint> related = std::nullopt;  // raddr, rport: for people, not for the agent
  std::optional<tcp_type> tcp = std::nullopt;
  bool operator==(const candidate&) const = default;
};

[[nodiscard]] std::string_view to_string(candidate_kind) noexcept;  // host, srflx, prflx, relay

// RFC 8445, 5.1.2.1, component 1. `local_preference` orders interfaces and families (RFC 8421, 4).
[[nodiscard]] std::uint32_t candidate_priority(candidate_kind,
                                               std::uint16_t local_preference) noexcept;

// RFC 8445, 6.1.2.3: G is the controlling side's, D the controlled side's priority.
[[nodiscard]] std::uint64_t pair_priority(std::uint32_t g, std::uint32_t d) noexcept;

// RFC 8445, 5.1.1.3: equal for the same kind, base address, server address and transport.
[[nodiscard]] std::string make_foundation(candidate_kind, const address& base,
                                          const std::optional<endpoint>& server, transport);

}  // namespace nat::ice
