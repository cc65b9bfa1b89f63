// The long-term credential mechanism, RFC 8489, 9.2.4, as a server without state has it. One order
// differs: the nonce is checked before the user and the integrity, since that costs one hash where
// those cost four; a request with a stale nonce and a wrong password learns of the nonce first.

#include "stun/turn/rest_credentials.hpp"
#include "stun/turn/server_state.hpp"

namespace nat::turn {
namespace {

constexpr std::size_t max_username = 513;  // RFC 8489, 14.3

// Neither attribute means MD5. One alone, or a list that is not ours, means that somebody in
// between has changed the offer (RFC 8489, 9.2.4).
std::optional<stun::password_algorithm> chosen_algorithm(const stun::message_view& message) {
  const auto list = message.get<stun::attr::password_algorithms>();
  const auto choice = message.get<stun::attr::password_algorithm>();
  const bool has_choice = message.has<stun::attr::password_algorithm>();
  if (!list && !has_choice) return stun::password_algorithm::md5;
  if (!list || !choice) return std::nullopt;
  if (!std::ranges::equal(*list, stun::offered_algorithms())) return std::nullopt;
  if (*choice != stun::password_algorithm::md5 && *choice != stun::password_algorithm::sha256) {
    return std::nullopt;
  }
  return choice;
}

}  // namespace

std::optional<stun::long_term_key> server::state::authenticate(server_request& r,
                                                               const allocation* own) {
  const auto& message = r.message;
  const bool sha256 = message.has<stun::attr::message_integrity_sha256>();
  if (!sha256 && !message.has<stun::attr::message_integrity>()) {
    challenge(r, refusal::unauthenticated);
    return std::nullopt;
  }
  const auto user = user_name(message);
  const auto realm = message.get<stun::attr::realm>();
  const auto given = message.get<stun::attr::nonce>();
  const auto algorithm = chosen_algorithm(message);
  if (!realm || !given || !algorithm || (!user && !message.has<stun::attr::userhash>())) {
    refuse(r, refusal::bad_request);
    return std::nullopt;
  }
  const auto lifetime = std::chrono::duration_cast<std::chrono::seconds>(config.nonce_lifetime);
  if (check_nonce(nonce_secret, *given, r.from.remote.ip,
                  static_cast<std::uint32_t>(unix_time(r.now)),
                  static_cast<std::uint32_t>(lifetime.count())) != nonce_verdict::valid) {
    challenge(r, refusal::stale_nonce);
    return std::nullopt;
  }
  // The allocation's own user needs no second derivation; its credentials may have expired since.
  std::optional<stun::long_term_key> key;
  if (own != nullptr && user && *user == own->user &&
      own->key.size == (*algorithm == stun::password_algorithm::sha256 ? 32 : 16)) {
    key = own->key;
  } else if (user) {
    const auto password = password_of(*user, r.now);
    if (password) key = stun::make_long_term_key(*algorithm, *user, config.realm, *password);
  }
  if (!key || *realm != config.realm || !message.authenticate(key->view())) {
    challenge(r, refusal::unauthenticated);
    return std::nullopt;
  }
  r.user = *user;
  r.sealed.integrity = sha256 ? stun::integrity::sha256 : stun::integrity::sha1;
  return key;
}

std::optional<std::string_view> server::state::user_name(const stun::message_view& message) const {
  if (const auto name = message.get<stun::attr::username>()) {
    return name->size() <= max_username ? name : std::nullopt;
  }
  const auto hashed = message.get<stun::attr::userhash>();
  if (!hashed || hashed->size() != 32) return std::nullopt;
  std::array<std::byte, 32> key;
  std::ranges::copy(*hashed, key.begin());
  const auto at = users_by_hash.find(key);
  return at == users_by_hash.end() ? std::nullopt
                                   : std::optional<std::string_view>{at->second->name};
}

std::optional<std::string> server::state::password_of(std::string_view user, time_point now) const {
  if (const auto at = users.find(user); at != users.end()) return at->second->password;
  const auto rest = parse_rest_username(user);
  if (!rest || config.rest_secret.empty() || rest->expiry <= unix_time(now)) return std::nullopt;
  return rest_password(config.rest_secret, user);
}

}  // namespace nat::turn
