#pragma once

// NAT-PMP (RFC 6886) for one socket at one gateway: what the gateway's other address is, and, once
// wanted, a mapping. Asking for the address leaves nothing at the gateway.

#include "ice/portmap/lease.hpp"
#include "ice/portmap/nat_pmp.hpp"

namespace nat::portmap {

class nat_pmp_client {
 public:
  nat_pmp_client(const endpoint& base, const lease_rules&, random_source&, time_point now);

  bool handle(const nat_pmp::response&, time_point now);
  void map(time_point now);  // REQUIRES: external_address()
  void give_up(const std::string& reason);

  // Requests that are due.
  [[nodiscard]] std::optional<bytes> handle_address_timeout(time_point now);
  [[nodiscard]] std::optional<bytes> handle_map_timeout(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] lease& life() { return lease_; }
  [[nodiscard]] const lease& life() const { return lease_; }
  [[nodiscard]] const std::optional<address>& external_address() const { return external_; }
  [[nodiscard]] bool spoken() const { return spoken_; }
  [[nodiscard]] bool settled() const;
  void release(time_point now);

 private:
  void take(const nat_pmp::map_body&, time_point now);

  endpoint base_;
  lease question_;  // for the address; asked again when the mapping is
  lease lease_;
  std::optional<address> external_;
  bool spoken_ = false;
};

}  // namespace nat::portmap
