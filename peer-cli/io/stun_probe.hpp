#pragma once

// Asks one STUN server once, from a socket of its own; blocks until it has answered or is given up.

#include <expected>
#include <string>

#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/failure.hpp"
#include "peer-cli/session/ice_url.hpp"
#include "stun/client.hpp"

namespace nat::peer_io {

struct probe_result {
  stun::binding_answer answer;
  path over;
};

// A name with addresses of both families is asked at all of them at once; the first answer counts.
[[nodiscard]] std::expected<probe_result, session::failure> probe_stun(const runtime_options&,
                                                                       const session::ice_url&,
                                                                       duration timeout);

}  // namespace nat::peer_io
