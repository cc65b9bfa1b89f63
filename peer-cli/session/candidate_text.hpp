#pragma once

// Candidates as the agent has them, and as SDP writes them.

#include <optional>

#include "ice/candidate.hpp"
#include "protocol/sdp/candidate.hpp"

namespace nat::session {

[[nodiscard]] sdp::candidate to_sdp(const ice::candidate&, const std::string& ufrag);

// nullopt where the host is a name (resolve it first, then call again with the address as host),
// the component is not 1, or the port can't be sent to.
[[nodiscard]] std::optional<ice::candidate> from_sdp(const sdp::candidate&);

}  // namespace nat::session
