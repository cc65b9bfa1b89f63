#pragma once

// The client's side of the long-term credential mechanism (RFC 8489, 9.2) with one server: takes
// the realm and nonce out of a 401 or 438, signs requests, verifies responses. No timing, no
// transactions: those are the caller's.

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "stun/credentials.hpp"
#include "stun/message.hpp"

namespace nat::stun {

// How many challenges to signed requests are taken up in a row; a server whose every nonce is stale
// and every realm another is broken or hostile.
inline constexpr unsigned max_challenges = 3;
// An offer longer than this is refused; a real one takes 8 octets.
inline constexpr std::size_t max_algorithms_size = 128;

class long_term_session {
 public:
  // Prepared text (opaque_string).
  long_term_session(std::string username, std::string password);

  // What to do about a 401 or 438. `was_signed`: the request that it answers had been signed.
  enum class verdict : std::uint8_t {
    retry,    // with a new transaction, signed
    refused,  // wrong credentials, or nothing we support, or a bid-down attack (9.2.5)
    ignore,   // not a challenge: no realm or nonce in it
  };
  [[nodiscard]] verdict handle_challenge(const message_view& error, bool was_signed);

  // A realm and nonce are known: requests are to be signed.
  [[nodiscard]] bool ready() const noexcept { return !nonce_.empty(); }
  // Adds the credentials, signs and ends the message. Only when ready().
  [[nodiscard]] std::optional<byte_view> finish(message_writer&, bool fingerprint = false) const;

  // A response to a signed request. An error here means: as if it had never come (9.2.5).
  [[nodiscard]] std::expected<authenticated_view, auth_error> authenticate(const message_view&);

 private:
  [[nodiscard]] bool accept(const message_view& challenge);

  std::string username_, password_, realm_, nonce_;
  bytes algorithms_;  // as offered, to be sent back; empty: a server from before RFC 8489
  password_algorithm algorithm_ = password_algorithm::md5;
  bool anonymous_ = false;  // USERHASH in place of USERNAME
  std::array<std::byte, 32> userhash_{};
  long_term_key key_;
  unsigned challenges_ = 0;  // to signed requests, since the last good answer
};

}  // namespace nat::stun
