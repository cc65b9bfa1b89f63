#pragma once

// Writes a simulated run as a pcap file (nanosecond variant, LINKTYPE_RAW) that Wireshark opens.
// Every packet is written each time it enters a network, so a translated one appears once with its
// inner and once with its outer addresses.

#include <fstream>
#include <string>

#include "protocol/base/time.hpp"
#include "tests/sim/packet.hpp"

namespace nat::sim {

// The bytes of the IP packet, checksums included.
[[nodiscard]] bytes ip_packet(const packet&);

class pcap_writer {
 public:
  explicit pcap_writer(const std::string& file);
  void add(const packet&, time_point now);

 private:
  std::ofstream out_;
};

}  // namespace nat::sim
