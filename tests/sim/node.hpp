#pragma once

// A protocol object on a simulated host: anything with the drain interface of ice/agent.hpp. The
// world calls what is due, then drains poll_transmit() after every event.

#include <cstdint>
#include <optional>

#include "protocol/base/path.hpp"
#include "protocol/base/time.hpp"

namespace nat::sim {

class node {
 public:
  virtual ~node() = default;

  // `from.local` is the socket it came in by. Over TCP: one whole message as it was sent.
  virtual void handle_datagram(const path& from, byte_view data, time_point now) = 0;
  // ICMP said no, or there is no route.
  virtual void handle_send_failure(const path&, time_point) {}
  // `id` as given to host::connect, 0 for an accepted connection.
  virtual void handle_stream_opened(const path&, std::uint32_t /*id*/, time_point) {}
  virtual void handle_stream_closed(const path&, std::uint32_t /*id*/, time_point) {}
  virtual void handle_timeout(time_point) {}
  [[nodiscard]] virtual std::optional<transmit> poll_transmit() { return std::nullopt; }
  [[nodiscard]] virtual std::optional<time_point> next_timeout() const { return std::nullopt; }
};

}  // namespace nat::sim
