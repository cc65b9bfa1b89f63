#pragma once

// --tls-cert and --tls-key.

#include <memory>

#include "protocol/tls/server_context.hpp"
#include "signaling/io/options.hpp"

namespace nat::signaling::io {

// nullptr: no TLS was asked for. Throws startup_error.
[[nodiscard]] std::shared_ptr<const tls::server_context> read_tls(const options&);

}  // namespace nat::signaling::io
