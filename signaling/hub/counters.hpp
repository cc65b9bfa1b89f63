#pragma once

// What one event loop's hub has counted since its start. Sums of several loops' are made by +=.

#include <algorithm>
#include <array>
#include <cstdint>

#include "signaling/hub/error_code.hpp"
#include "signaling/hub/request.hpp"

namespace nat::hub {

enum class closing : std::uint8_t {
  too_large,
  flooding,
  unregistered,  // register_timeout
  silent,        // idle_timeout
  too_slow,      // send_queue_bytes
  superseded,
  draining,
  violation,   // of the WebSocket protocol
  fenced,      // this server's lease in the cluster ran out
  overloaded,  // total_queue_bytes, and this one kept the most
};
inline constexpr std::size_t closings = 10;

[[nodiscard]] constexpr std::string_view to_string(closing why) noexcept {
  constexpr std::array<std::string_view, closings> names{
      "too-large",  "flooding", "unregistered", "silent", "too-slow",
      "superseded", "draining", "violation",    "fenced", "overloaded"};
  return names[static_cast<std::size_t>(why)];
}

// What became of a message: queued for its target, on the target's server; a name granted; a report
// counted; or an error told.
enum class fate : std::uint8_t { forwarded, granted, counted, refused };
inline constexpr std::size_t fates = 4;

[[nodiscard]] constexpr std::string_view to_string(fate f) noexcept {
  constexpr std::array<std::string_view, fates> names{"forwarded", "granted", "counted", "refused"};
  return names[static_cast<std::size_t>(f)];
}
// What may become of a message of that type, besides being refused.
[[nodiscard]] constexpr fate success_of(request_type t) noexcept {
  return t == request_type::register_ ? fate::granted
         : t == request_type::outcome ? fate::counted
                                      : fate::forwarded;
}

struct counters {
  std::uint64_t connections = 0, opened = 0, registered = 0, resumed = 0, delivered = 0,
                unauthorized = 0, bytes_in = 0, bytes_out = 0;
  std::uint64_t queue_high_water = 0;  // of the last minute
  std::array<std::array<std::uint64_t, fates>, request_types> messages{};
  std::array<std::uint64_t, error_codes> errors{};
  std::array<std::uint64_t, closings> closed{};
  std::array<std::uint64_t, outcome_paths> outcomes{};
  double connect_ms = 0;  // the sum over all outcomes

  void count(request_type t, fate f) noexcept {
    ++messages[static_cast<std::size_t>(t)][static_cast<std::size_t>(f)];
  }

  counters& operator+=(const counters& other) noexcept {
    const auto add = [](auto& to, const auto& from) {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
    };
    connections += other.connections;
    opened += other.opened;
    registered += other.registered;
    resumed += other.resumed;
    delivered += other.delivered;
    unauthorized += other.unauthorized;
    bytes_in += other.bytes_in;
    bytes_out += other.bytes_out;
    queue_high_water = std::max(queue_high_water, other.queue_high_water);
    connect_ms += other.connect_ms;
    for (std::size_t i = 0; i < request_types; ++i) add(messages[i], other.messages[i]);
    add(errors, other.errors);
    add(closed, other.closed);
    add(outcomes, other.outcomes);
    return *this;
  }
};

}  // namespace nat::hub
