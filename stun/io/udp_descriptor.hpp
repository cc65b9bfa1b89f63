#pragma once

// UDP descriptors as the sockets of this folder and of servers have them: non-blocking, bound, with
// the kernel's batching options set.

#include "protocol/base/endpoint.hpp"

namespace nat::stun::io {

struct udp_options {
  bool reuse_port = false;
  // ICMP errors go to the error queue (IP_RECVERR), which the owner then has to read. Without, they
  // are not heard of.
  bool report_errors = true;
  int receive_buffer = 4 << 20, send_buffer = 4 << 20;  // asked for; the kernel may give less
};

// Throw boost::system::system_error where the address can't be bound. Port 0: any. The descriptor
// is the caller's to close. IPv6 ones are IPv6 only; where `at` is a wildcard, datagrams come with
// the address that they were sent to (IP_PKTINFO).
[[nodiscard]] int open_udp(const endpoint& at, const udp_options&);

// The address that the descriptor is bound to, with the real port.
[[nodiscard]] endpoint bound_to(int descriptor);

}  // namespace nat::stun::io
