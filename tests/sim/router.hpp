#pragma once

// A router between an inside and an outside network: translates IPv4 as its rules say, passes IPv6
// through a stateful firewall (RFC 6092), decrements the hop limit. It has no services of its own:
// what is addressed to it and belongs to no mapping is refused, or taken in
// (nat_rules::open_input).

#include <vector>

#include "tests/sim/nat_table.hpp"
#include "tests/sim/network.hpp"

namespace nat::sim {

class router {
 public:
  router(fabric&, network& outside, network& inside, const nat_rules&, const link_rules& outer,
         std::vector<address> external);

  [[nodiscard]] network& inside() { return inside_; }
  [[nodiscard]] const std::vector<address>& external() const { return external_; }
  [[nodiscard]] link_rules& outer_link() { return outer_.link; }
  void set_up(bool up) { outer_.up = up; }
  // Reboot: every mapping is forgotten.
  void restart();
  [[nodiscard]] std::size_t mappings() const;
  // IPv6 addresses inside are reachable from the outside, through the firewall.
  void route(const address& inner);

 private:
  struct side final : port {
    side(router& r, network& n, const link_rules& l, void (router::*h)(packet))
        : port(n, l), owner(r), handle(h) {}
    void receive(packet p) override { (owner.*handle)(std::move(p)); }
    router& owner;
    void (router::*handle)(packet);
  };

  void from_inside(packet);
  void from_outside(packet);
  void error_from_inside(packet);
  void error_from_outside(packet);
  void hairpin(packet, const endpoint& external_source);
  void refuse(const packet&, nat_table::verdict);
  [[nodiscard]] nat_table& table_for(const packet&);
  [[nodiscard]] bool is_own(const address&) const;
  [[nodiscard]] bool forward(packet&);

  fabric& fabric_;
  network& inside_;
  nat_rules rules_;
  std::vector<address> external_;
  side inner_, outer_;
  nat_table udp_, tcp_, udp_v6_, tcp_v6_;
};

}  // namespace nat::sim
