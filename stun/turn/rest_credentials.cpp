#include "stun/turn/rest_credentials.hpp"

#include <charconv>

#include "protocol/base/base64.hpp"
#include "protocol/crypto/hmac.hpp"

namespace nat::turn {

rest_credentials mint_rest_credentials(std::string_view secret, std::string_view name,
                                       std::int64_t expiry_unix_seconds) {
  auto username = std::to_string(expiry_unix_seconds) + ':' + std::string(name);
  auto password = rest_password(secret, username);
  return {std::move(username), std::move(password)};
}

std::optional<rest_username> parse_rest_username(std::string_view text) noexcept {
  const auto colon = text.find(':');
  const auto digits = text.substr(0, colon);
  std::int64_t expiry = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), expiry);
  if (digits.empty() || error != std::errc{} || stop != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return rest_username{expiry, colon == text.npos ? std::string_view{} : text.substr(colon + 1)};
}

std::string rest_password(std::string_view secret, std::string_view username) {
  return to_base64(crypto::hmac_sha1(as_bytes(secret), {as_bytes(username)}));
}

}  // namespace nat::turn
