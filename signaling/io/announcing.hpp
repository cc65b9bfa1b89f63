#pragma once

// Which STUN and TURN servers clients are told of: by the options, by where the server listens, and
// by the certificate in force.

#include "protocol/base/random.hpp"
#include "protocol/tls/server_context.hpp"
#include "signaling/hub/announcement.hpp"
#include "signaling/io/options.hpp"
#include "signaling/io/ready_file.hpp"

namespace nat::signaling::io {

// All but what depends on the certificate. Makes up a TURN secret where none was given.
[[nodiscard]] hub::announcement plan_announcement(const options&, const server_addresses&,
                                                  random_source&);
// turns: by whom this certificate is for; nullptr: in the clear.
[[nodiscard]] hub::announcement with_certificate(hub::announcement, const options&,
                                                 const tls::server_context*);

}  // namespace nat::signaling::io
