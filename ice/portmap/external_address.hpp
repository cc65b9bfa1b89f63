#pragma once

// What a gateway may claim as our address on its other side.

#include "protocol/base/endpoint.hpp"

namespace nat::portmap {

// A place that can exist out there: of the family of `base`, and not unspecified, loopback,
// link-local, multicast, broadcast or reserved. Private and shared addresses may: a second NAT.
[[nodiscard]] bool is_plausible(const address& external, const endpoint& base) noexcept;

}  // namespace nat::portmap
