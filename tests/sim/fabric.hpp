#pragma once

// What every part of a simulated world shares: the virtual clock, the queue of what happens next,
// chance, the counters and the capture file.

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "tests/sim/dice.hpp"
#include "tests/sim/pcap.hpp"

namespace nat::sim {

// What became of packets.
struct counters {
  std::uint64_t sent = 0, delivered = 0;
  std::uint64_t lost = 0;     // by a link
  std::uint64_t too_big = 0;  // for a link's MTU
  std::uint64_t no_route = 0;
  std::uint64_t hop_limit = 0;    // died on the way
  std::uint64_t refused = 0;      // by a NAT or firewall, inbound
  std::uint64_t no_mapping = 0;   // a NAT had none to give, or blocks UDP
  std::uint64_t taken_in = 0;     // by a router with open input
  std::uint64_t port_closed = 0;  // no socket on the host
};

struct fabric {
  explicit fabric(std::uint64_t seed) : chance(seed) {}

  using action = std::move_only_function<void()>;
  // Actions due at the same time run in the order they were scheduled.
  void at(time_point when, action what) {
    queue.emplace(std::pair{std::max(when, now), ++scheduled}, std::move(what));
  }

  time_point now{std::chrono::hours{1000}};
  std::map<std::pair<time_point, std::uint64_t>, action> queue;
  std::uint64_t scheduled = 0;
  dice chance;
  sim::counters counters;
  std::unique_ptr<pcap_writer> capture;
};

}  // namespace nat::sim
