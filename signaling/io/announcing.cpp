#include "signaling/io/announcing.hpp"

#include <utility>

#include "signaling/io/log.hpp"

namespace nat::signaling::io {

hub::announcement plan_announcement(const options& o, const server_addresses& addresses,
                                    random_source& random) {
  hub::announcement plan;
  plan.urls = o.ice_servers;
  plan.stun = addresses.stun;
  plan.stun_alternate = addresses.stun_alternate;
  plan.turn = o.turn && !addresses.stun.empty();
  plan.external = o.external_address;
  if (addresses.tls) plan.tls = addresses.websocket;
  plan.turn_secret = o.turn_secret;
  if (plan.turn_secret.empty()) plan.turn_secret = random_text(random, 43);
  for (const auto& url : o.ice_servers) {
    if (url.starts_with("turn") && o.turn_secret.empty()) {
      log_warning("no TURN secret was given, so " + url +
                  " will not accept the credentials: --turn-secret-file or TURN_SECRET");
    }
  }
  return plan;
}

hub::announcement with_certificate(hub::announcement plan, const options& o,
                                   const tls::server_context* tls) {
  if (tls == nullptr) return plan;
  auto subject = tls->is_for();
  plan.certified_addresses = std::move(subject.addresses);
  if (!o.tls_name.empty()) {
    plan.certified_name = o.tls_name;
  } else if (!subject.names.empty()) {
    plan.certified_name = std::move(subject.names.front());
  } else if (plan.certified_addresses.empty() && plan.turn && plan.urls.empty()) {
    log_warning(
        "turns: is not announced, as the certificate names no host that clients could "
        "be sent to: give one by --tls-name");
  }
  return plan;
}

}  // namespace nat::signaling::io
