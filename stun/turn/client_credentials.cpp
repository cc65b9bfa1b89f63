#include "stun/turn/client_credentials.hpp"

namespace nat::turn {

long_term_credentials::long_term_credentials(const std::string& username,
                                             const std::string& password)
    : username_(stun::opaque_string(username).value_or(username)),
      password_(stun::opaque_string(password).value_or(password)) {
  if (username_.size() > max_username) username_.resize(max_username);
}

bool long_term_credentials::take_challenge(const stun::message_view& challenge) {
  const auto nonce = challenge.get<stun::attr::nonce>();
  const auto realm = challenge.get<stun::attr::realm>();
  const auto list = challenge.get<stun::attr::password_algorithms>();
  if (!nonce || nonce->empty() || (!realm && !ready())) return false;
  const auto features = stun::read_nonce_cookie(*nonce).value_or(stun::security_features{});
  // RFC 8489, 9.2.5: the list was announced and is missing, so somebody took it out.
  if (features.password_algorithms && !list) return false;
  std::optional<stun::password_algorithm> chosen;
  if (list) {
    if (list->size() <= max_algorithms) chosen = stun::choose_algorithm(*list);
    if (!chosen) return false;
  }
  nonce_ = *nonce;
  if (realm) realm_ = *realm;
  algorithm_ = chosen;
  algorithms_ = list ? to_bytes(*list) : bytes{};
  anonymous_ = features.username_anonymity;
  key_ = {.secret = stun::make_long_term_key(chosen.value_or(stun::password_algorithm::md5),
                                             username_, realm_, password_),
          .kind = chosen ? stun::integrity::sha256 : stun::integrity::sha1};
  return true;
}

void long_term_credentials::put_into(stun::message_writer& out) const {
  if (anonymous_) {
    out.put<stun::attr::userhash>(stun::make_userhash(username_, realm_));
  } else {
    out.put<stun::attr::username>(username_);
  }
  out.put<stun::attr::realm>(realm_).put<stun::attr::nonce>(nonce_);
  if (algorithm_) {
    out.put<stun::attr::password_algorithms>(byte_view(algorithms_));
    out.put<stun::attr::password_algorithm>(*algorithm_);
  }
}

}  // namespace nat::turn
