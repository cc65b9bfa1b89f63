#pragma once

// Which of several sockets on one port (SO_REUSEPORT) a client's packets go to. The kernel chooses
// by the whole five-tuple; here it is the client's address alone (IPv6: its /64), so that what one
// client does from several ports is seen in one place: quotas, and the second half of an EVEN-PORT
// pair (RFC 8656, 7.2).

#include <cstdint>

namespace nat::stun::io {

// For all sockets of the group that `descriptor` belongs to, UDP or listening TCP ones, in the
// order in which they were bound; once all `count` of them are. `seed` keeps strangers from
// choosing the socket. Where the kernel refuses, it goes on choosing by itself.
void spread_by_source(int descriptor, bool v4, unsigned count, std::uint32_t seed) noexcept;

}  // namespace nat::stun::io
