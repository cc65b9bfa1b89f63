#include "stun/long_term.hpp"

#include <utility>

#include "protocol/base/ensure.hpp"

namespace nat::stun {
namespace {

constexpr int unauthenticated = 401, stale_nonce = 438;

// The nonce says that algorithms were offered and the offer is gone: somebody took it out, so that
// the weaker default would be used (RFC 8489, 9.2.5).
bool was_bid_down(const message_view& response) noexcept {
  const auto nonce = response.get<attr::nonce>();
  const auto features = nonce ? read_nonce_cookie(*nonce) : std::nullopt;
  return features && features->password_algorithms && !response.has<attr::password_algorithms>();
}

}  // namespace

long_term_session::long_term_session(std::string username, std::string password)
    : username_(std::move(username)), password_(std::move(password)) {}

long_term_session::verdict long_term_session::handle_challenge(const message_view& error,
                                                               bool was_signed) {
  const auto code = error.get<attr::error_code>();
  const auto nonce = error.get<attr::nonce>();
  const auto realm = error.get<attr::realm>();
  if (!code || !nonce || nonce->empty()) return verdict::ignore;
  if (was_bid_down(error)) return verdict::refused;
  if (code->code == unauthenticated) {
    if (!realm) return verdict::ignore;
    if (was_signed && *realm == realm_) return verdict::refused;
  } else if (code->code != stale_nonce) {
    return verdict::ignore;
  }
  if (was_signed && ++challenges_ > max_challenges) return verdict::refused;
  return accept(error) ? verdict::retry : verdict::refused;
}

// Takes over what the next request is signed with. False: no algorithm in common.
bool long_term_session::accept(const message_view& challenge) {
  const auto offer = challenge.get<attr::password_algorithms>();
  auto algorithm = algorithm_;
  if (offer) {
    const auto chosen = choose_algorithm(*offer);
    if (!chosen || offer->size() > max_algorithms_size) return false;
    algorithm = *chosen;
  }
  if (const auto realm = challenge.get<attr::realm>()) realm_ = *realm;
  if (offer) algorithms_ = to_bytes(*offer);
  nonce_ = *challenge.get<attr::nonce>();
  algorithm_ = algorithm;
  const auto features = read_nonce_cookie(nonce_);
  anonymous_ = features && features->username_anonymity;
  key_ = make_long_term_key(algorithm_, username_, realm_, password_);
  userhash_ = make_userhash(username_, realm_);
  return true;
}

std::optional<byte_view> long_term_session::finish(message_writer& request,
                                                   bool fingerprint) const {
  ensure(ready());
  if (anonymous_) {
    request.put<attr::userhash>(userhash_);
  } else {
    request.put<attr::username>(username_);
  }
  request.put<attr::realm>(realm_).put<attr::nonce>(nonce_);
  if (algorithms_.empty()) return request.finish_signed(key_.view(), integrity::sha1, fingerprint);
  request.put<attr::password_algorithms>(algorithms_).put<attr::password_algorithm>(algorithm_);
  return request.finish_signed(key_.view(), integrity::sha256, fingerprint);
}

std::expected<authenticated_view, auth_error> long_term_session::authenticate(
    const message_view& response) {
  auto verified = response.authenticate(key_.view());
  if (!verified) return verified;
  if (was_bid_down(response)) return std::unexpected(auth_error::wrong_integrity);
  challenges_ = 0;
  return verified;
}

}  // namespace nat::stun
