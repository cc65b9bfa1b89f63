#pragma once

// One allocation of the server: its five-tuple, credentials, relayed sockets, permissions and
// channels (RFC 8656, 3.2). Inside stun/turn/server only.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/path.hpp"
#include "protocol/base/time.hpp"
#include "stun/credentials.hpp"
#include "stun/message.hpp"
#include "stun/turn/server.hpp"

namespace nat::turn {

inline constexpr relay_id no_relay = UINT32_MAX;
inline constexpr std::uint32_t no_allocation = UINT32_MAX;

struct granted_permission {
  address peer;
  bool own;  // one of the server's addresses: relayed ports only
  time_point expires;
};

struct bound_channel {
  endpoint peer;
  std::uint16_t number;
  bool own;
  time_point expires;
};

// How the answer to a request is sealed.
struct seal {
  stun::integrity integrity = stun::integrity::sha1;
  bool fingerprint = false;
};

// An Allocate request that waits for its sockets.
struct pending_allocate {
  seal sealed;
  duration lifetime;
  bool reserve;            // EVEN-PORT with R
  bool even;               // EVEN-PORT
  bool additional;         // ADDITIONAL-ADDRESS-FAMILY: IPv6 may fail
  bool redeems = false;    // RESERVATION-TOKEN: that port or none
  std::uint16_t kept = 0;  // the port behind the relayed one, for a reservation; 0: none
  bool kept_v4 = true;
  unsigned tries = 0;
};

struct allocation {
  path client;
  std::uint32_t index;
  stun::transaction_id created_by;
  std::string user;
  stun::long_term_key key;
  std::array<relay_id, 2> relays{no_relay, no_relay};  // IPv4, IPv6
  time_point expires;
  std::vector<granted_permission> permissions;
  std::vector<bound_channel> channels;
  std::unique_ptr<pending_allocate> pending;

  [[nodiscard]] relay_id relay_for(const address& peer) const noexcept {
    return relays[peer.v4 ? 0 : 1];
  }
  [[nodiscard]] const granted_permission* permission_for(const address& peer,
                                                         time_point now) const {
    for (const auto& p : permissions) {
      if (p.peer == peer) return p.expires > now ? &p : nullptr;
    }
    return nullptr;
  }
  [[nodiscard]] const bound_channel* channel_by(std::uint16_t number, time_point now) const {
    for (const auto& c : channels) {
      if (c.number == number) return c.expires > now ? &c : nullptr;
    }
    return nullptr;
  }
  [[nodiscard]] const bound_channel* channel_to(const endpoint& peer, time_point now) const {
    for (const auto& c : channels) {
      if (c.peer == peer) return c.expires > now ? &c : nullptr;
    }
    return nullptr;
  }
};

}  // namespace nat::turn
