#pragma once

// Which servers a NAT's behaviour can be asked of.

#include <string>
#include <vector>

#include "peer-cli/session/ice_url.hpp"

namespace nat::commands {

// Those of `urls` that answer over UDP, each once, in their order.
[[nodiscard]] std::vector<session::ice_url> nat_servers(const std::vector<std::string>& urls);

}  // namespace nat::commands
