#pragma once

// One MAP of RFC 6887 for one socket at one gateway: asked for, renewed, deleted. The mapper hands
// it only datagrams from that gateway's port 5351.

#include "ice/portmap/lease.hpp"
#include "ice/portmap/pcp.hpp"

namespace nat::portmap {

class pcp_client {
 public:
  pcp_client(const endpoint& base, const lease_rules&, random_source&, time_point now);

  // Whether it answers a question of ours; then its epoch means something.
  bool handle(const pcp::response&, time_point now);
  [[nodiscard]] bytes request() const;

  [[nodiscard]] lease& life() { return lease_; }
  [[nodiscard]] const lease& life() const { return lease_; }
  // Learned from a grant or a refusal; a second gateway in between is one of the refusals.
  [[nodiscard]] bool spoken() const { return spoken_; }

 private:
  endpoint base_;
  pcp::nonce id_;
  lease lease_;
  bool spoken_ = false;
};

}  // namespace nat::portmap
