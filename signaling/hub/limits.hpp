#pragma once

// What a public host needs (SIGNALING.md). Zero means none, here as on the command line.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "protocol/signal/messages.hpp"

namespace nat::hub {

struct limits {
  std::size_t max_connections = 100'000;
  std::size_t max_connections_per_address = 256;
  double connections_per_second_per_address = 20;  // bursts of 20 s' worth
  std::size_t max_message_bytes = signal::max_message_bytes;
  double messages_per_second = 50;  // bursts of four seconds' worth; the same again closes
  std::size_t send_queue_bytes = 1U << 20;
  std::size_t total_queue_bytes = 1U << 30;        // for and from all clients
  std::chrono::milliseconds slow_timeout{10'000};  // for a full queue to make headway
  std::chrono::milliseconds register_timeout{10'000};
  std::chrono::milliseconds idle_timeout{60'000};  // a ping goes out after half of it
  std::chrono::milliseconds resume_window{30'000};
  std::size_t max_held_names = 65'536;  // the one held longest goes first
  std::size_t max_held_names_per_address = 1024;

  // An office behind one address comes back as a whole when its server restarts: bursts hold more
  // than max_connections_per_address.
  static constexpr std::chrono::seconds connection_burst_seconds{20};
  [[nodiscard]] double connection_burst() const noexcept {
    return std::max(1.0, connections_per_second_per_address * connection_burst_seconds.count());
  }
  [[nodiscard]] double burst() const noexcept { return std::max(1.0, messages_per_second * 4); }
  // A message counts once for each 4 KiB that it begins, but never for more than a burst.
  [[nodiscard]] double cost(std::size_t octets) const noexcept {
    const auto begun = octets == 0 ? 0 : (octets - 1) / 4096;
    return std::max(1.0, std::min(static_cast<double>(begun + 1), burst()));
  }
  // What others may fill of a client's queue; the rest is for answers to its own requests, so that
  // no stranger can make those overflow.
  [[nodiscard]] std::size_t deliverable_bytes() const noexcept {
    return send_queue_bytes - send_queue_bytes / 8;
  }
};

}  // namespace nat::hub
