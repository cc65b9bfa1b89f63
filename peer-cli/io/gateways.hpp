#pragma once

// The default routers of this host's interfaces (rtnetlink(7)): whom to ask for port mappings.

#include <vector>

#include "protocol/base/endpoint.hpp"

namespace nat::peer_io {

struct gateway {
  address router;
  unsigned interface;  // its index: the scope of a link-local router
};

// Those that default routes of the main table name, at most 16, in the kernel's order. Empty where
// the kernel does not say.
[[nodiscard]] std::vector<gateway> default_gateways();

// The index of the interface that has this address, 0 if none has.
[[nodiscard]] unsigned interface_of(const address&);

// Sends to a link-local address or group on one interface; what the kernel refuses is lost.
void send_on_link(int descriptor, unsigned interface, const endpoint& to, byte_view data);

}  // namespace nat::peer_io
