#pragma once

// Who may register: static tokens, each for any name or for names that fit its patterns, and signed
// tokens, whose claims say the same.
//
// The text has one token a line, then, after blanks, the patterns of the names it may take, `*`
// standing for anything; none means every name. What follows `#` at the start of a line is ignored.
// Tokens are kept as hashes and compared in constant time.

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/random.hpp"
#include "protocol/crypto/hmac.hpp"
#include "signaling/hub/keyed_hash.hpp"
#include "signaling/hub/token_verifier.hpp"

namespace nat::hub {

class access {
 public:
  static constexpr std::size_t max_token_length = 4096, max_patterns = 64, max_pattern_length = 64;
  // How far an issuer's clock and ours may be apart (RFC 7519, 4.1.4).
  static constexpr std::int64_t leeway_seconds = 10;

  // Nobody, as long as no verifier is given.
  explicit access(random_source& random) : hash_(random) {}
  // The error names the line and what is wrong with it, never the token.
  [[nodiscard]] static std::expected<access, std::string> parse(std::string_view text,
                                                                random_source&);

  // nullptr: no signed tokens.
  void accept_signed(std::shared_ptr<const token_verifier> by) noexcept { signed_ = std::move(by); }

  // untimely: signed for us, but expired or not yet valid.
  enum class verdict : std::uint8_t { granted, no_token, wrong_token, wrong_name, untimely };
  [[nodiscard]] verdict check(std::string_view name, std::optional<std::string_view> token,
                              std::int64_t unix_now) const;

  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }

 private:
  struct grant {
    crypto::sha256_digest hash;
    std::vector<std::string> patterns;
  };
  [[nodiscard]] std::optional<std::string> add(std::string_view line);
  [[nodiscard]] verdict check_static(std::string_view name, std::string_view token) const;
  [[nodiscard]] verdict check_signed(std::string_view name, std::string_view token,
                                     std::int64_t unix_now) const;

  keyed_hash hash_;
  std::unordered_multimap<std::size_t, grant> tokens_;  // by a hash with a secret key
  std::shared_ptr<const token_verifier> signed_;
};

// Does the pattern, in which `*` stands for any characters, fit the whole name?
[[nodiscard]] bool fits(std::string_view pattern, std::string_view name) noexcept;

}  // namespace nat::hub
