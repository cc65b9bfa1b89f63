#pragma once

// Endpoints as the socket API has them.

#include <netinet/in.h>
#include <sys/socket.h>

#include "protocol/base/endpoint.hpp"

namespace nat::stun::io {

// An IPv4 or IPv6 socket address with its length.
struct socket_address {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t size;
};

[[nodiscard]] socket_address to_socket_address(const endpoint&) noexcept;
// Neither family: the unspecified IPv4 address, port 0.
[[nodiscard]] endpoint from_socket_address(const sockaddr&) noexcept;

[[nodiscard]] in_addr to_in_addr(const address& v4) noexcept;
[[nodiscard]] in6_addr to_in6_addr(const address& v6) noexcept;
[[nodiscard]] address from_in_addr(const in_addr&) noexcept;
[[nodiscard]] address from_in6_addr(const in6_addr&) noexcept;

}  // namespace nat::stun::io
