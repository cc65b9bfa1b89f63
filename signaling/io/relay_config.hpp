#pragma once

// What the options say about relays, as the TURN server of each loop is told it.

#include <optional>
#include <string>
#include <vector>

#include "protocol/base/random.hpp"
#include "signaling/io/options.hpp"
#include "stun/turn/server.hpp"

namespace nat::signaling::io {

[[nodiscard]] turn::server_config relay_config(const options&, const std::string& secret,
                                               random_source&);

[[nodiscard]] turn::ledger_limits relay_limits(const options&);

// This machine's own, of interfaces that are up. nullopt: the system does not say (errno).
[[nodiscard]] std::optional<std::vector<address>> own_addresses();

}  // namespace nat::signaling::io
