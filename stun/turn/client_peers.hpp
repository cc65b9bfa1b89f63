#pragma once

// Whom an allocation may talk to: permissions (RFC 8656, 9) by address and channels
// (RFC 8656, 12) by address and port, with the deadlines of their renewal. Bookkeeping only.

#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"

namespace nat::turn {

inline constexpr duration permission_lifetime = std::chrono::seconds{300};  // RFC 8656, 3.1
inline constexpr duration permission_renewal = std::chrono::seconds{240};
inline constexpr duration channel_lifetime = std::chrono::seconds{600};  // RFC 8656, 3.1
inline constexpr duration channel_renewal = std::chrono::seconds{540};

// Of a permission or a channel, as far as we know.
enum class grant : std::uint8_t {
  wanted,   // not asked for yet
  asked,    // a request is under way
  active,   // confirmed; while it is renewed as well
  refused,  // the server said no, or nothing
};

struct permission {
  address peer;
  grant state = grant::wanted;
  bool renewing = false;  // `active`, with a request under way
  time_point renew_at{};
  time_point expires{};
  time_point last_used{};
  // Data that went out right behind the request, to be repeated if the request had to be.
  std::vector<bytes> held{};
};

struct channel {
  endpoint peer;
  std::uint16_t number = 0;
  grant state = grant::wanted;
  bool renewing = false;
  time_point renew_at{};
  time_point expires{};
};

// Two small tables searched from the front: tens of entries, and the busy ones come first
// because they were asked for first.
class peer_table {
 public:
  peer_table(std::size_t max_permissions, std::size_t max_channels)
      : max_permissions_(max_permissions), max_channels_(max_channels) {}

  [[nodiscard]] permission* find_permission(const address& peer);
  [[nodiscard]] channel* find_channel(const endpoint& peer);
  [[nodiscard]] channel* find_channel(std::uint16_t number);

  // Finds or makes; nullptr: the table is full of entries in use. A full table gives up a refused
  // entry, else the one that was idle longest (at least `idle_before_eviction`, without channel).
  [[nodiscard]] permission* add_permission(const address& peer, time_point now);
  // Finds or makes; nullptr: the table is full or all numbers are used up. A number is used for
  // one peer only, ever, so nothing has to be waited for (RFC 8656, 12).
  [[nodiscard]] channel* add_channel(const endpoint& peer);

  [[nodiscard]] std::vector<permission>& permissions() { return permissions_; }
  [[nodiscard]] std::vector<channel>& channels() { return channels_; }

  // When the next renewal is due.
  [[nodiscard]] std::optional<time_point> next_renewal() const;

  static constexpr duration idle_before_eviction = std::chrono::seconds{60};

 private:
  [[nodiscard]] bool has_channel(const address& peer) const;

  std::size_t max_permissions_, max_channels_;
  std::uint16_t next_number_ = 0x4000;  // first_channel
  std::vector<permission> permissions_;
  std::vector<channel> channels_;
};

}  // namespace nat::turn
