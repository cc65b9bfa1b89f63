#pragma once

// Our own candidates, grouped by door: the socket or allocation that a check leaves by.
// RFC 8445, 6.1.2.4 forms pairs with every local candidate and then removes those whose base is the
// same; here they are never formed.

#include <optional>
#include <span>
#include <vector>

#include "ice/candidate.hpp"
#include "protocol/base/time.hpp"

namespace nat::ice {

struct door {
  transport proto = transport::udp;
  endpoint base;
  candidate best;        // of the highest priority among those with this base
  bool relayed = false;  // an allocation on a TURN server
  bool mapped = false;   // a server saw us through it: it leads somewhere
  time_point announced;  // when the peer could first be told an address that reaches it
};

class local_candidates {
 public:
  explicit local_candidates(std::size_t max) : max_(max) {}

  enum class result : std::uint8_t { known, added_to_door, new_door, refused };
  result add(const candidate&, time_point now);
  // True if there was one.
  bool remove(const endpoint& base);
  void clear();

  [[nodiscard]] std::span<const door> doors() const noexcept { return doors_; }
  // For TCP a connection's local port is not the door's: the address decides.
  [[nodiscard]] const door* find(transport, const endpoint& local) const noexcept;
  // The candidate whose address the peer sees (RFC 8445, 7.2.5.3.1): one of ours, or a
  // peer-reflexive one with the priority that the check carried.
  [[nodiscard]] candidate seen_as(const candidate& paired, const endpoint& mapped,
                                  std::uint32_t check_priority) const;

  bool ended = false;  // no more will come

 private:
  std::size_t max_;
  std::vector<candidate> all_;
  std::vector<door> doors_;
};

}  // namespace nat::ice
