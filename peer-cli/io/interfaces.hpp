#pragma once

// The addresses of this host that candidates can stand on, best first.

#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"

namespace nat::peer_io {

// Up, not link-local, not multicast; the address that packets to the internet leave from first,
// IPv6 before IPv4 of the same rank (RFC 8421, 4). Loopback only where nothing else is there. At
// most `limit`.
[[nodiscard]] std::vector<address> host_addresses(std::size_t limit = 16);

}  // namespace nat::peer_io
