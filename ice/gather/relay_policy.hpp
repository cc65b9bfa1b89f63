#pragma once

// Which sockets may ask which server, and which peers a relay may be asked to reach.

#include "protocol/base/endpoint.hpp"

namespace nat::ice {

// Same family, both real, and a loopback socket reaches loopback servers only.
[[nodiscard]] bool may_ask(const endpoint& base, const endpoint& server) noexcept;

// A relay on the internet can't reach private, loopback or link-local peers, and some end the whole
// allocation when they try (coturn 4.6.1: no route to the peer). It may be asked only where it
// lives in such a place itself (a lab, a LAN, one machine).
[[nodiscard]] bool may_relay(const address& server, const address& peer) noexcept;

// RFC 8489, 10: an ALTERNATE-SERVER; nobody has to have signed it, so it must not lead from a
// server on the internet into places that are ours.
[[nodiscard]] bool may_redirect(const address& from, const endpoint& to) noexcept;

}  // namespace nat::ice
