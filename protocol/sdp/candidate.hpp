#pragma once

// a=candidate lines, RFC 8839, 5.1, and RFC 6544, 4.5 for TCP. `host` stays text: it may be a name
// (mDNS: "….local"), which is for the caller to resolve.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/endpoint.hpp"

namespace nat::sdp {

enum class candidate_type : std::uint8_t { host, srflx, prflx, relay };
enum class tcp_type : std::uint8_t { active, passive, so };

struct candidate {
  std::string foundation;       // 1 to 32 ice-chars
  std::uint16_t component = 1;  // 1 to 256
  transport proto = transport::udp;
  std::uint32_t priority = 0;
  std::string host;
  std::uint16_t port = 0;
  candidate_type type = candidate_type::host;
  std::optional<std::string> related_host;
  std::optional<std::uint16_t> related_port;
  std::optional<tcp_type> tcp;
  std::optional<std::string> ufrag;  // the extension browsers add; other extensions are skipped
  bool operator==(const candidate&) const = default;
};

// With or without the leading "a=" and "candidate:"; at most 512 characters.
[[nodiscard]] std::optional<candidate> parse_candidate(std::string_view line);
[[nodiscard]] std::string to_string(const candidate&);  // "candidate:…", no "a="

}  // namespace nat::sdp
