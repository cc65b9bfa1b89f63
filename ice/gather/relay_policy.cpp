#include "ice/gather/relay_policy.hpp"

namespace nat::ice {
namespace {

// How far an address is valid; a place reaches those at least as wide.
enum class scope : std::uint8_t { nowhere, host, link, site, global };

scope scope_of(const address& a) noexcept {
  if (is_unspecified(a) || is_multicast(a)) return scope::nowhere;
  if (is_loopback(a)) return scope::host;
  if (is_link_local(a)) return scope::link;
  return is_private(a) ? scope::site : scope::global;
}

}  // namespace

bool may_ask(const endpoint& base, const endpoint& server) noexcept {
  if (base.ip.v4 != server.ip.v4 || server.port == 0) return false;
  const auto from = scope_of(base.ip), to = scope_of(server.ip);
  if (from == scope::nowhere || to == scope::nowhere) return false;
  return from != scope::host || to == scope::host;
}

bool may_relay(const address& server, const address& peer) noexcept {
  const auto there = scope_of(unmapped(peer));
  return there != scope::nowhere && there >= scope_of(unmapped(server));
}

bool may_redirect(const address& from, const endpoint& to) noexcept {
  return to.port != 0 && may_relay(from, to.ip);
}

}  // namespace nat::ice
