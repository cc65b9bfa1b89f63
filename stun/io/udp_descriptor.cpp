#include "stun/io/udp_descriptor.hpp"

#include <netinet/udp.h>
#include <unistd.h>

#include <boost/system/system_error.hpp>
#include <cerrno>

#include "stun/io/sockaddr.hpp"

namespace nat::stun::io {
namespace {

[[noreturn]] void fail(int error_number, const char* what) {
  throw boost::system::system_error(error_number, boost::system::system_category(), what);
}

// Options that the kernel may not have: then it works without.
void prefer(int descriptor, int level, int name, int value) noexcept {
  (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

void require(int descriptor, int level, int name, int value, const char* what) {
  if (setsockopt(descriptor, level, name, &value, sizeof value) != 0) fail(errno, what);
}

// DONT: routers may fragment what is too large for a link. ICE checks and TURN need no path MTU,
// and a datagram that arrives in pieces beats one that silently does not.
void set_options(int fd, const endpoint& local, const udp_options& options) {
  const bool wildcard = is_unspecified(local.ip);
  if (local.ip.v4) {
    if (options.report_errors) require(fd, IPPROTO_IP, IP_RECVERR, 1, "IP_RECVERR");
    prefer(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    if (wildcard) require(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  } else {
    require(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
    if (options.report_errors) require(fd, IPPROTO_IPV6, IPV6_RECVERR, 1, "IPV6_RECVERR");
    prefer(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    if (wildcard) require(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
  }
  if (options.reuse_port) require(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  prefer(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  prefer(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  prefer(fd, SOL_UDP, UDP_GRO, 1);
}

}  // namespace

int open_udp(const endpoint& at, const udp_options& options) {
  const auto family = at.ip.v4 ? AF_INET : AF_INET6;
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) fail(errno, "socket");
  try {
    set_options(fd, at, options);
    const auto name = to_socket_address(at);
    if (bind(fd, &name.any, name.size) != 0) fail(errno, "bind");
  } catch (...) {
    close(fd);
    throw;
  }
  return fd;
}

endpoint bound_to(int descriptor) {
  sockaddr_in6 name{};
  socklen_t size = sizeof name;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    fail(errno, "getsockname");
  }
  return from_socket_address(reinterpret_cast<const sockaddr&>(name));
}

}  // namespace nat::stun::io
