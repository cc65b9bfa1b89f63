#pragma once

// Whether ICE can find a direct path between two NATs, worked out without ICE: both sides send to
// every endpoint of the other that they know of, learn the sources of what arrives, and answer to
// where it came from, until nothing changes. A path works when a packet arrives and the answer
// comes back from the very endpoint it was sent to (RFC 8445, 7.2.5.2.1).

#include "tests/sim/rules.hpp"

namespace nat::scenarios {

[[nodiscard]] bool direct_is_possible(const sim::nat_rules&, const sim::nat_rules&);

}  // namespace nat::scenarios
