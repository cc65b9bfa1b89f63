#pragma once

// --tls-cert and --tls-key, --cluster-ca.

#include <memory>
#include <optional>

#include "protocol/tls/client_context.hpp"
#include "protocol/tls/server_context.hpp"
#include "signaling/io/options.hpp"

namespace nat::signaling::io {

// nullptr: no TLS was asked for. Throws startup_error.
[[nodiscard]] std::shared_ptr<const tls::server_context> read_tls(const options&);
// nullopt: Redis is spoken to in the clear, or not at all. Throws startup_error.
[[nodiscard]] std::optional<tls::client_context> read_cluster_tls(const options&);

}  // namespace nat::signaling::io
