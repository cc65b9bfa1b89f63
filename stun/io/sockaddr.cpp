#include "stun/io/sockaddr.hpp"

#include <cstring>

namespace nat::stun::io {

in_addr to_in_addr(const address& v4) noexcept {
  in_addr out;
  std::memcpy(&out, v4.octets.data(), sizeof out);
  return out;
}

in6_addr to_in6_addr(const address& v6) noexcept {
  in6_addr out;
  std::memcpy(&out, v6.octets.data(), sizeof out);
  return out;
}

address from_in_addr(const in_addr& from) noexcept {
  address out;
  std::memcpy(out.octets.data(), &from, sizeof from);
  return out;
}

address from_in6_addr(const in6_addr& from) noexcept {
  address out{.v4 = false};
  std::memcpy(out.octets.data(), &from, sizeof from);
  return out;
}

socket_address to_socket_address(const endpoint& from) noexcept {
  socket_address out;
  if (from.ip.v4) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(from.port);
    out.v4.sin_addr = to_in_addr(from.ip);
    out.size = sizeof out.v4;
  } else {
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(from.port);
    out.v6.sin6_addr = to_in6_addr(from.ip);
    out.size = sizeof out.v6;
  }
  return out;
}

endpoint from_socket_address(const sockaddr& from) noexcept {
  if (from.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &from, sizeof v4);
    return {from_in_addr(v4.sin_addr), ntohs(v4.sin_port)};
  }
  if (from.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &from, sizeof v6);
    return {from_in6_addr(v6.sin6_addr), ntohs(v6.sin6_port)};
  }
  return {};
}

}  // namespace nat::stun::io
