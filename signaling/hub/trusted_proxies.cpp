#include "signaling/hub/trusted_proxies.hpp"

#include <algorithm>

namespace nat::hub {

namespace {

// An address alone, or with a port, as some proxies write it.
std::optional<address> entry_address(std::string_view entry) {
  const auto first = entry.find_first_not_of(" \t");
  if (first == entry.npos) return std::nullopt;
  entry = entry.substr(first, entry.find_last_not_of(" \t") + 1 - first);
  if (const auto alone = parse_address(entry)) return unmapped(*alone);
  if (const auto with_port = parse_endpoint(entry)) return unmapped(with_port->ip);
  return std::nullopt;
}

}  // namespace

bool trusted_proxies::trusts(const address& from) const noexcept {
  const auto plain = unmapped(from);
  return std::ranges::any_of(all_, [&](const turn::prefix& p) { return p.contains(plain); });
}

address trusted_proxies::client_of(const address& peer, std::string_view forwarded_for) const {
  auto client = unmapped(peer);
  while (trusts(client) && !forwarded_for.empty()) {
    const auto comma = forwarded_for.rfind(',');
    const auto entry =
        comma == forwarded_for.npos ? forwarded_for : forwarded_for.substr(comma + 1);
    const auto heard = entry_address(entry);
    if (!heard) break;
    client = *heard;
    forwarded_for =
        comma == forwarded_for.npos ? std::string_view() : forwarded_for.substr(0, comma);
  }
  return client;
}

}  // namespace nat::hub
