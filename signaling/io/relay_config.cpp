#include "signaling/io/relay_config.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "signaling/io/sockets.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::signaling::io {

namespace {

// For a client that asks for a relay of the family that it did not come by.
std::optional<turn::relay_address> fallback(const std::vector<address>& own, bool v4,
                                            const std::optional<address>& external) {
  for (const auto& a : own) {
    if (a.v4 != v4 || is_loopback(a) || is_link_local(a)) continue;
    return turn::relay_address{a, external.value_or(a)};
  }
  return std::nullopt;
}

}  // namespace

turn::server_config relay_config(const options& o, const std::string& secret,
                                 random_source& random) {
  turn::server_config c;
  c.rest_secret = secret;
  random.fill(c.nonce_key.emplace());
  (o.external_address && !o.external_address->v4 ? c.external_v6 : c.external_v4) =
      o.external_address;
  const auto own = own_addresses();
  if (!own) {
    // Clients could reach through us what listens for this machine only.
    throw startup_error{std::string("failed to list this machine's addresses: ") +
                        std::strerror(errno) +
                        " (a sandbox has to allow AF_NETLINK; or --no-turn)"};
  }
  c.fallback_v4 = fallback(*own, true, c.external_v4);
  c.fallback_v6 = fallback(*own, false, c.external_v6);
  // Forged sources reach all loops: what goes to one address is counted in each.
  c.max_challenges_per_second = std::max(1U, c.max_challenges_per_second / o.threads);
  c.peers.allow = o.relay_allow;
  c.peers.deny = o.relay_deny;
  return c;
}

turn::ledger_limits relay_limits(const options& o) {
  const auto limit = [](std::size_t given) { return given == 0 ? SIZE_MAX : given; };
  return {.lowest_port = o.relay_low,
          .highest_port = o.relay_high,
          .max_allocations = limit(o.max_allocations),
          .max_allocations_per_name = limit(o.max_allocations_per_name),
          .max_allocations_per_address = limit(o.max_allocations_per_address)};
}

std::optional<std::vector<address>> own_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<address> out;
  for (const auto* i = list; i != nullptr; i = i->ifa_next) {
    const bool up = (i->ifa_flags & IFF_UP) != 0 && i->ifa_addr != nullptr;
    if (!up) continue;
    const auto family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    out.push_back(stun::io::from_socket_address(*i->ifa_addr).ip);
  }
  return out;
}

}  // namespace nat::signaling::io
