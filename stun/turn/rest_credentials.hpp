#pragma once

// Short-lived credentials by the TURN REST convention (draft-uberti-behave-turn-rest), which coturn
// reads with `use-auth-secret`: the user name is "expiry:name" with the expiry in seconds since
// 1970, the password the base64 of HMAC-SHA1 over the user name under the shared secret.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nat::turn {

struct rest_credentials {
  std::string username, password;
};
[[nodiscard]] rest_credentials mint_rest_credentials(std::string_view secret, std::string_view name,
                                                     std::int64_t expiry_unix_seconds);

struct rest_username {
  std::int64_t expiry;
  std::string_view name;  // what quotas count
};
[[nodiscard]] std::optional<rest_username> parse_rest_username(std::string_view) noexcept;
[[nodiscard]] std::string rest_password(std::string_view secret, std::string_view username);

}  // namespace nat::turn
