#pragma once

// The TURN client's long-term credentials, RFC 8489, 9.2: the server's challenge is taken once,
// realm and nonce are kept and added to every later request. Differs from stun::long_term_session
// in that several requests are under way at a time: each remembers the key that its answer will be
// checked with, and counts its own challenges.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/bytes.hpp"
#include "stun/credentials.hpp"
#include "stun/message.hpp"

namespace nat::turn {

struct signing_key {
  stun::long_term_key secret;
  stun::integrity kind = stun::integrity::sha1;
};

class long_term_credentials {
 public:
  static constexpr std::size_t max_username = 508;   // octets: RFC 8489, 14.3
  static constexpr std::size_t max_algorithms = 64;  // octets of the server's list

  long_term_credentials(const std::string& username, const std::string& password);

  // Takes REALM, NONCE and PASSWORD-ALGORITHMS of a 401 or 438. False: nothing to go on with
  // (something missing, stripped or not supported); what was known before stays.
  [[nodiscard]] bool take_challenge(const stun::message_view&);

  [[nodiscard]] bool empty() const noexcept { return username_.empty(); }
  // Whether a challenge was taken, so that requests can be signed.
  [[nodiscard]] bool ready() const noexcept { return !nonce_.empty(); }
  // USERNAME or USERHASH, REALM, NONCE and the algorithm. REQUIRES: ready().
  void put_into(stun::message_writer&) const;
  [[nodiscard]] const signing_key& key() const noexcept { return key_; }

 private:
  std::string username_, password_;
  std::string realm_, nonce_;
  bytes algorithms_;  // the server's list, to be echoed
  std::optional<stun::password_algorithm> algorithm_;
  bool anonymous_ = false;  // USERHASH in place of USERNAME
  signing_key key_;
};

}  // namespace nat::turn
