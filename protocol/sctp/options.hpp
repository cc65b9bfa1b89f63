#pragma once

// How our associations' sockets are set. Internal to protocol/sctp.

#include "protocol/sctp/association.hpp"

struct socket;

namespace nat::sctp {

// A socket that is bound to (address, local_port), not connected.
[[nodiscard]] struct socket* open_socket(const association_config&, void* address);
// usrsctp learns a path's limits only once there is a path.
void fix_path_mtu(struct socket*, const association_config&);
void start_connect(struct socket*, const association_config&, void* address);

}  // namespace nat::sctp
