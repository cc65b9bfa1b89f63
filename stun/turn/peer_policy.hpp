#pragma once

// Which peers a relay may reach (RFC 8656, 21.1.5 and 21.1.6). What would make the relay a way into
// its own network is refused by default, in every form that an address can be written.

#include <span>
#include <vector>

#include "stun/turn/prefix.hpp"

namespace nat::turn {

struct peer_policy {
  // Asked in this order: denied; one of the server's own, unless `allow` names that very address;
  // allowed; refused by default. So a range that is allowed does not open the server itself. Its
  // own loopback addresses are refused as anybody's, but for those where it relays.
  std::vector<prefix> deny, allow;
  std::vector<address> own;       // the server's own addresses
  std::vector<address> relaying;  // those of them where relayed ports are

  enum class verdict : std::uint8_t {
    allowed,
    refused,
    own  // nothing there but relayed ports
  };
  [[nodiscard]] verdict judge(const address& peer) const noexcept;
};

// The ranges that are refused unless allowed.
[[nodiscard]] std::span<const prefix> refused_by_default();

}  // namespace nat::turn
