#pragma once

// One IP network: everything attached to it reaches everything else, by the link of each. The root
// network is the internet; a LAN has a router as its gateway; one without a gateway is a dead end.

#include <map>
#include <optional>
#include <vector>

#include "tests/sim/fabric.hpp"
#include "tests/sim/packet.hpp"
#include "tests/sim/rules.hpp"

namespace nat::sim {

class network;

// An attachment of a host or a router. `link` may be changed while the world runs.
class port {
 public:
  port(network& where, const link_rules& rules) : on(&where), link(rules) {}
  virtual ~port() = default;
  port(const port&) = delete;
  port& operator=(const port&) = delete;
  virtual void receive(packet) = 0;

  network* on;
  link_rules link;
  bool up = true;
};

class network {
 public:
  struct prefixes {
    std::uint32_t v4;      // a /24
    std::uint16_t v6 = 0;  // 2001:db8:N::/64
  };
  network(fabric&, prefixes, unsigned transit_hops);

  // Where the network's own routers decrement the hop limit, besides those between networks.
  unsigned transit_hops;
  network* outside = nullptr;  // of the gateway
  // What a scenario wants to vanish here.
  std::function<bool(const packet&)> drops;

  [[nodiscard]] address next_v4();
  [[nodiscard]] address next_v6();
  void attach(port&, const address&);
  void detach(const address&);
  void set_gateway(port& inner) { gateway_ = &inner; }

  // False: no route. The packet is on its way otherwise, though it may be lost.
  bool send(port& from, packet);

 private:
  void carry(port& from, port& to, packet);
  [[nodiscard]] std::optional<duration> cross(const link_rules&, const packet&);

  fabric& fabric_;
  prefixes prefixes_;
  std::uint32_t next_host_ = 1;
  std::uint32_t next_host_v6_ = 1;
  std::map<address, port*> attached_;
  port* gateway_ = nullptr;
};

}  // namespace nat::sim
