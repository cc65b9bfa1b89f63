#pragma once

// Gives stun/behavior the world: names, UDP sockets, one TCP question, and the clock. One discovery
// an address family, both at once.

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

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

// On a loop that goes on with its other work.
class behavior_probe {
 public:
  // Of the families that servers have and this host has a route for: IPv4 first. The failure says
  // why there is nothing to tell at all.
  using outcome = std::expected<std::vector<behavior_result>, session::failure>;
  using done = std::function<void(outcome)>;

  // Starts at once. `done` is called once, from the loop, and may destroy the probe; never after
  // the probe is gone. `bind`: the addresses to ask from, where any is given.
  behavior_probe(boost::asio::any_io_executor, std::vector<address> bind, behavior_options, done);
  ~behavior_probe();

 private:
  class prober;
  std::shared_ptr<prober> prober_;
};

// The same, blocking until it is over; SIGINT and SIGTERM end it.
[[nodiscard]] behavior_probe::outcome probe_behavior(const runtime_options&,
                                                     const behavior_options&);

}  // namespace nat::peer_io
