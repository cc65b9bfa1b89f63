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
std::vector<endpoint> embedded(const announcement& plan, const std::vector<endpoint>& sockets,
                               const address& reached) {
  const auto& host = plan.external.value_or(reached);
  std::vector<endpoint> same, other;
  for (const auto& bound : sockets) {
    const bool wildcard = is_unspecified(bound.ip);
    if (wildcard && bound.ip.v4 != host.v4) continue;
    const auto& ip = wildcard || plan.external ? host : bound.ip;
    (ip.v4 == reached.v4 ? same : other).push_back({ip, bound.port});
  }
  return same.empty() ? other : same;
}

// Whom the certificate is not for, a client would refuse to talk to: empty where it is for nobody.
std::string certified_host(const announcement& plan, const endpoint& e) {
  const bool covered =
      std::ranges::find(plan.certified_addresses, e.ip) != plan.certified_addresses.end();
  if (covered) return to_string(e);
  return plan.certified_name.empty() ? "" : plan.certified_name + ':' + std::to_string(e.port);
}

// RFC 7065; TCP and TLS for who can't send UDP.
std::vector<std::string> embedded_relays(const announcement& plan, const address& reached) {
  std::vector<std::string> out;
  for (const char* how : {"?transport=udp", "?transport=tcp"}) {
    for (const auto& e : embedded(plan, plan.stun, reached)) {
      out.push_back("turn:" + to_string(e) + how);
    }
  }
  for (const auto& e : embedded(plan, plan.tls, reached)) {
    const auto host = certified_host(plan, e);
    if (host.empty()) continue;
    auto url = "turns:" + host + "?transport=tcp";
    if (std::ranges::find(out, url) == out.end()) out.push_back(std::move(url));
  }
  return out;
}

}  // namespace

std::vector<signal::ice_server> servers_for(const announcement& plan, std::string_view name,
                                            const address& reached, std::int64_t unix_now) {
  signal::ice_server stun, relay;
  if (plan.urls.empty()) {
    // RFC 7064: an IPv6 address stands in brackets, as to_string writes it.
    for (const auto* sockets : {&plan.stun, &plan.stun_alternate}) {
      for (const auto& e : embedded(plan, *sockets, reached)) {
        stun.urls.push_back("stun:" + to_string(e));
      }
    }
    if (plan.turn) relay.urls = embedded_relays(plan, reached);
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
