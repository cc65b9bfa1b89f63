#include "signaling/hub/announcement.hpp"

#include <algorithm>

#include "stun/turn/rest_credentials.hpp"

namespace nat::hub {

namespace {

bool is_turn(const std::string& url) {
  return url.starts_with("turn:") || url.starts_with("turns:");
}

// The sockets that a client which reached `reached` can reach too: those of the same family, or
// all where none is.
std::vector<endpoint> embedded(const announcement& plan, const address& reached) {
  const auto& host = plan.external.value_or(reached);
  std::vector<endpoint> same, other;
  for (const auto& bound : plan.stun) {
    const bool wildcard = is_unspecified(bound.ip);
    if (wildcard && bound.ip.v4 != host.v4) continue;
    const auto& ip = wildcard || plan.external ? host : bound.ip;
    (ip.v4 == reached.v4 ? same : other).push_back({ip, bound.port});
  }
  return same.empty() ? other : same;
}

}  // namespace

std::vector<signal::ice_server> servers_for(const announcement& plan, std::string_view name,
                                            const address& reached, std::int64_t unix_now) {
  signal::ice_server stun, relay;
  if (plan.urls.empty()) {
    // RFC 7064, 7065: an IPv6 address stands in brackets, as to_string writes it.
    for (const auto& e : embedded(plan, reached)) {
      stun.urls.push_back("stun:" + to_string(e));
      if (plan.turn) relay.urls.push_back("turn:" + to_string(e) + "?transport=udp");
    }
  }
  for (const auto& url : plan.urls) (is_turn(url) ? relay : stun).urls.push_back(url);
  std::vector<signal::ice_server> out;
  if (!stun.urls.empty()) out.push_back(std::move(stun));
  if (!relay.urls.empty()) {
    auto minted = turn::mint_rest_credentials(plan.turn_secret, name,
                                              unix_now + plan.credential_lifetime.count());
    relay.username = std::move(minted.username);
    relay.credential = std::move(minted.password);
    out.push_back(std::move(relay));
  }
  return out;
}

}  // namespace nat::hub
