#include "peer-cli/io/gateways.hpp"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "stun/io/sockaddr.hpp"

namespace nat::peer_io {
namespace {

constexpr std::size_t max_gateways = 16;
constexpr int max_reads = 64;  // 32 KiB each: more than any host's main table of default routes

class netlink_socket {
 public:
  netlink_socket() : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~netlink_socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  netlink_socket(const netlink_socket&) = delete;
  netlink_socket& operator=(const netlink_socket&) = delete;

  [[nodiscard]] bool ask_routes() const {
    struct {
      nlmsghdr header;
      rtmsg route;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_GETROUTE;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.route.rtm_family = AF_UNSPEC;
    return fd_ >= 0 && ::send(fd_, &request, sizeof request, 0) == sizeof request;
  }
  [[nodiscard]] std::size_t read(std::span<char> into) const {
    const auto got = ::recv(fd_, into.data(), into.size(), 0);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

 private:
  int fd_;
};

std::optional<address> read_address(int family, const rtattr& attribute) {
  const auto size = RTA_PAYLOAD(&attribute);
  if (family == AF_INET && size == sizeof(in_addr)) {
    in_addr v4;
    std::memcpy(&v4, RTA_DATA(&attribute), sizeof v4);
    return stun::io::from_in_addr(v4);
  }
  if (family == AF_INET6 && size == sizeof(in6_addr)) {
    in6_addr v6;
    std::memcpy(&v6, RTA_DATA(&attribute), sizeof v6);
    return stun::io::from_in6_addr(v6);
  }
  return std::nullopt;
}

// Of one route, or of one next hop of several.
void read_attributes(int family, const rtattr* attribute, std::size_t left, gateway& into,
                     std::vector<gateway>& hops) {
  for (auto size = static_cast<int>(left); RTA_OK(attribute, size);
       attribute = RTA_NEXT(attribute, size)) {
    if (attribute->rta_type == RTA_GATEWAY) {
      if (const auto found = read_address(family, *attribute)) into.router = *found;
    } else if (attribute->rta_type == RTA_OIF && RTA_PAYLOAD(attribute) == sizeof(int)) {
      std::memcpy(&into.interface, RTA_DATA(attribute), sizeof into.interface);
    } else if (attribute->rta_type == RTA_MULTIPATH) {
      const auto* hop = static_cast<const rtnexthop*>(RTA_DATA(attribute));
      auto room = static_cast<int>(RTA_PAYLOAD(attribute));
      for (; RTNH_OK(hop, room); room -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
        gateway one{{}, static_cast<unsigned>(hop->rtnh_ifindex)};
        std::vector<gateway> none;
        read_attributes(family, RTNH_DATA(hop), hop->rtnh_len - sizeof *hop, one, none);
        hops.push_back(one);
      }
    }
  }
}

void read_route(const nlmsghdr* message, std::vector<gateway>& found) {
  const auto* const route = static_cast<const rtmsg*>(NLMSG_DATA(message));
  if (message->nlmsg_type != RTM_NEWROUTE || message->nlmsg_len < NLMSG_LENGTH(sizeof *route))
    return;
  if (route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST) return;
  if (route->rtm_table != RT_TABLE_MAIN) return;
  std::vector<gateway> all(1);
  all.front().interface = 0;
  std::vector<gateway> hops;
  read_attributes(route->rtm_family, RTM_RTA(route), RTM_PAYLOAD(message), all.front(), hops);
  all.insert(all.end(), hops.begin(), hops.end());
  for (const auto& one : all) {
    if (one.interface == 0 || is_unspecified(one.router)) continue;
    if (found.size() < max_gateways) found.push_back(one);
  }
}

}  // namespace

std::vector<gateway> default_gateways() {
  std::vector<gateway> found;
  const netlink_socket kernel;
  if (!kernel.ask_routes()) return found;
  alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
  for (int reads = 0; reads < max_reads; ++reads) {
    auto left = static_cast<unsigned>(kernel.read(buffer));
    if (left == 0) break;
    for (const auto* m = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(m, left);
         m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) return found;
      read_route(m, found);
    }
  }
  return found;
}

void send_on_link(int descriptor, unsigned interface, const endpoint& to, byte_view data) {
  auto where = stun::io::to_socket_address(to);
  if (!to.ip.v4) where.v6.sin6_scope_id = interface;
  (void)::sendto(descriptor, data.data(), data.size(), MSG_DONTWAIT, &where.any, where.size);
}

unsigned interface_of(const address& ip) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return 0;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const auto* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const auto family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    if (stun::io::from_socket_address(*i->ifa_addr).ip == ip) return ::if_nametoindex(i->ifa_name);
  }
  return 0;
}

}  // namespace nat::peer_io
