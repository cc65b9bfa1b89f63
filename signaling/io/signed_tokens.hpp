#pragma once

// Signed tokens: JSON Web Tokens (RFC 7519) by HS256, RS256 or ES256 (RFC 7518, 3.1), verified by
// libjwt. A key is good for one algorithm, the one of its kind, whatever a token's header says; a
// token has `exp`, and `aud` where we have a name. Not here: encryption, key ids, keys by URL.

#include <memory>
#include <string>
#include <vector>

#include "signaling/hub/token_verifier.hpp"

namespace nat::signaling::io {

class signed_tokens final : public hub::token_verifier {
 public:
  static constexpr std::size_t max_keys = 16, max_key_file = 16'384;
  static constexpr std::size_t min_secret = 32;  // RFC 7518, 3.2
  static constexpr int min_rsa_bits = 2048, max_rsa_bits = 8192;

  // Without an audience, tokens that have one are for someone else (RFC 7519, 4.1.3).
  signed_tokens(std::string audience, std::string names_claim);
  ~signed_tokens() override;

  // A file's content: one public key in PEM, or else a secret, of which a line end is no part.
  // Returns what is wrong, never the key.
  [[nodiscard]] std::optional<std::string> add_key(std::string content);

  [[nodiscard]] std::optional<hub::token_claims> verify(std::string_view token) const override;

 private:
  struct key;
  [[nodiscard]] std::optional<hub::token_claims> claims_in(const std::string& json) const;

  std::string audience_, names_claim_;
  std::vector<key> keys_;
};

}  // namespace nat::signaling::io
