#pragma once

// Signed tokens (RFC 7519), as the hub sees them: who verifies signatures stands outside of it, and
// knows no time.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nat::hub {

// What a token that some key of ours has signed, for us, is good for. Times are seconds since 1970.
struct token_claims {
  std::vector<std::string> names;                                      // patterns; none: no name
  std::int64_t expires = 0;                                            // exp
  std::int64_t not_before = std::numeric_limits<std::int64_t>::min();  // nbf
};

class token_verifier {
 public:
  virtual ~token_verifier() = default;
  // From any thread. nullopt: not signed by a key of ours, not for us, or not a token at all.
  [[nodiscard]] virtual std::optional<token_claims> verify(std::string_view token) const = 0;
};

}  // namespace nat::hub
