#include "peer-cli/io/interfaces.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "protocol/base/big_endian.hpp"

namespace nat::peer_io {
namespace {

std::optional<address> from_sockaddr(const sockaddr* a) {
  if (a == nullptr) return std::nullopt;
  if (a->sa_family == AF_INET) {
    return make_v4(ntohl(reinterpret_cast<const sockaddr_in*>(a)->sin_addr.s_addr));
  }
  if (a->sa_family == AF_INET6) {
    const auto& raw = reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr;
    return make_v6(std::as_bytes(std::span(raw.s6_addr)));
  }
  return std::nullopt;
}

// Which local address the routing table gives a packet to the internet. Nothing is sent.
std::optional<address> default_source(bool v4) {
  const int fd = ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  sockaddr_storage to{};
  if (v4) {
    auto& in = reinterpret_cast<sockaddr_in&>(to);
    in.sin_family = AF_INET;
    in.sin_port = htons(9);
    in.sin_addr.s_addr = htonl(0xc0000201);  // 192.0.2.1
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(to);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(9);
    in.sin6_addr.s6_addr[0] = 0x20;  // 2001:db8::1
    in.sin6_addr.s6_addr[1] = 0x01;
    in.sin6_addr.s6_addr[2] = 0x0d;
    in.sin6_addr.s6_addr[3] = 0xb8;
    in.sin6_addr.s6_addr[15] = 1;
  }
  std::optional<address> source;
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0) {
    source = from_sockaddr(reinterpret_cast<sockaddr*>(&local));
  }
  ::close(fd);
  return source;
}

}  // namespace

std::vector<address> host_addresses(std::size_t limit) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<address> found, loopback;
  for (const auto* i = list; i != nullptr; i = i->ifa_next) {
    const auto ip = (i->ifa_flags & IFF_UP) != 0 ? from_sockaddr(i->ifa_addr) : std::nullopt;
    if (!ip || is_link_local(*ip) || is_multicast(*ip) || is_unspecified(*ip)) continue;
    auto& into = is_loopback(*ip) ? loopback : found;
    if (std::ranges::find(into, *ip) == into.end()) into.push_back(*ip);
  }
  if (found.empty()) found = std::move(loopback);
  const auto v4 = default_source(true), v6 = default_source(false);
  const auto rank = [&](const address& ip) {
    const bool leads_out = ip == v4 || ip == v6;
    return (leads_out ? 0 : 2) + (ip.v4 ? 1 : 0);
  };
  std::ranges::stable_sort(found, {}, rank);
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace nat::peer_io
