#pragma once

// Who may register: static tokens, each for any name or for names that fit its patterns.
//
// The text has one token a line, then, after blanks, the patterns of the names it may take, `*`
// standing for anything; none means every name. What follows `#` at the start of a line is ignored.
// Tokens are kept as hashes and compared in constant time.

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/random.hpp"
#include "protocol/crypto/hmac.hpp"
#include "signaling/hub/keyed_hash.hpp"

namespace nat::hub {

class access {
 public:
  static constexpr std::size_t max_token_length = 4096, max_patterns = 64;

  // The error names the line and what is wrong with it, never the token.
  [[nodiscard]] static std::expected<access, std::string> parse(std::string_view text,
                                                                random_source&);

  enum class verdict : std::uint8_t { granted, no_token, wrong_token, wrong_name };
  [[nodiscard]] verdict check(std::string_view name, std::optional<std::string_view> token) const;

  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }

 private:
  struct grant {
    crypto::sha256_digest hash;
    std::vector<std::string> patterns;
  };
  explicit access(random_source& random) : hash_(random) {}
  [[nodiscard]] std::optional<std::string> add(std::string_view line);

  keyed_hash hash_;
  std::unordered_multimap<std::size_t, grant> tokens_;  // by a hash with a secret key
};

// Does the pattern, in which `*` stands for any characters, fit the whole name?
[[nodiscard]] bool fits(std::string_view pattern, std::string_view name) noexcept;

}  // namespace nat::hub
