#pragma once

// Gives stun/behavior the world: names, UDP sockets, one TCP question, and the clock. One discovery
// an address family, both at once; blocks until they are over.

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/failure.hpp"
#include "peer-cli/session/ice_url.hpp"
#include "stun/behavior/verdict.hpp"

namespace nat::peer_io {

struct behavior_options {
  std::vector<session::ice_url> servers;  // asked over UDP
  bool lifetime = false;
  std::optional<address> router_external = {};
  duration timeout;  // without the lifetime
  // Whenever the bounds of a lifetime move. May be empty.
  std::function<void(const behavior::lifetime_bounds&)> on_progress = {};
};

struct behavior_result {
  bool v4 = true;
  endpoint server;  // that was tested with; of no meaning without an answer
  behavior::verdict verdict;
  std::vector<behavior::exchange> evidence;
  duration took{};
};

// Of the families that servers have and this host has a route for: IPv4 first. The failure says
// why there is nothing to tell at all.
[[nodiscard]] std::expected<std::vector<behavior_result>, session::failure> probe_behavior(
    const runtime_options&, const behavior_options&);

}  // namespace nat::peer_io
