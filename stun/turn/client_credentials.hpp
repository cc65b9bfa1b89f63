#pragma once

// The client's half of the long-term credential mechanism, RFC 8489, 9.2: takes the server's
// challenge once, keeps realm and nonce, and adds what proves the password to every later request.
// Understands PASSWORD-ALGORITHMS (MD5, SHA-256), USERHASH and the nonce cookie that protects
// them from being stripped. Left out on purpose: OpaqueString (RFC 8265), so that user names and
// passwords outside ASCII are to be given in its normal form.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/bytes.hpp"
#include "stun/message.hpp"

namespace nat::turn {

struct signing_key {
  std::array<std::byte, 32> octets{};
  std::uint8_t size = 0;
  stun::integrity kind = stun::integrity::sha1;
  [[nodiscard]] byte_view view() const noexcept { return byte_view(octets).first(size); }
};

class long_term_credentials {
 public:
  static constexpr std::size_t max_realm = 763, max_nonce = 763;  // RFC 8489, 14.9 and 14.10
  static constexpr std::size_t max_username = 508;                // RFC 8489, 14.3
  static constexpr std::size_t max_algorithms = 64;               // octets of the server's list

  long_term_credentials(std::string username, std::string password);

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
  void derive_key();

  std::string username_, password_;
  std::string realm_, nonce_;
  bytes algorithms_;  // the server's list, to be echoed
  std::optional<stun::password_algorithm> algorithm_;
  std::optional<std::array<std::byte, 32>> userhash_;
  signing_key key_;
};

// The security features that a nonce announces, RFC 8489, 9.2 and 18.1.
struct nonce_features {
  bool password_algorithms = false;
  bool username_anonymity = false;
};
[[nodiscard]] nonce_features read_nonce_cookie(std::string_view nonce) noexcept;

}  // namespace nat::turn
