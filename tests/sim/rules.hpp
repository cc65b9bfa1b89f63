#pragma once

// How a simulated network behaves, as values. NATs are described in the words of RFC 4787; the four
// "cone" names are combinations of these.

#include <cstddef>
#include <cstdint>

#include "protocol/base/time.hpp"

namespace nat::sim {

// RFC 4787, 4.1 (mapping) and 5 (filtering): what part of the remote endpoint is looked at.
enum class dependence : std::uint8_t { independent, address, address_and_port };
// RFC 4787, 4.2.2, and what carriers do: a random port out of one block.
enum class port_choice : std::uint8_t { preserve, sequential, random, block };
// RFC 4787, 4.1: whether one inner address keeps one external address.
enum class pooling : std::uint8_t { paired, arbitrary };
// What happens to a packet that no mapping or filter lets in.
enum class refusal : std::uint8_t { drop, reject };

struct nat_rules {
  dependence mapping = dependence::independent;
  dependence filtering = dependence::address_and_port;
  port_choice ports = port_choice::preserve;
  std::uint16_t port_step = 1;      // sequential
  std::uint16_t block_size = 2048;  // block
  sim::pooling pooling = pooling::paired;
  bool hairpin = false;  // RFC 4787, 6
  duration lifetime = std::chrono::seconds{120};
  bool inbound_refreshes = false;  // RFC 4787, 4.3
  std::size_t max_mappings = 4096;
  refusal unwanted = refusal::drop;

  // A Linux router without an input firewall: a packet to the router itself that belongs to no
  // mapping is taken in, and the connection-tracking entry it leaves owns the tuple on which our
  // own reply would leave, so that flow's mapping moves to a random port.
  bool open_input = false;
  duration open_input_lifetime = std::chrono::seconds{30};

  // No translation: a router, or a firewall that filters as above. IPv6 is never translated.
  bool translates = true;
  dependence filtering_v6 = dependence::address_and_port;
  bool udp_blocked = false;
};

// One direction of a link has the same rules as the other.
struct link_rules {
  duration delay{};
  duration jitter{};     // 0 to this, uniformly, on top; reorders
  double loss = 0;       // 0 to 1
  double duplicate = 0;  // 0 to 1
  double reorder = 0;    // share of packets that wait reorder_delay longer
  duration reorder_delay = std::chrono::milliseconds{10};
  std::size_t mtu = 1500;  // an IP packet larger than this is dropped: fragments don't pass
};

}  // namespace nat::sim
