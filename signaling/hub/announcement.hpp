#pragma once

// Which STUN and TURN servers a client is told to use, and its TURN credentials: the TURN REST
// convention (draft-uberti-behave-turn-rest-00) that coturn's use-auth-secret reads, a username
// "EXPIRY:NAME" and the base64 of its HMAC-SHA1.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "protocol/signal/messages.hpp"

namespace nat::hub {

struct announcement {
  // Given by hand: announced as they stand, in place of the embedded server.
  std::vector<std::string> urls;
  // The embedded STUN server's sockets as bound.
  std::vector<endpoint> stun;
  // What a wildcard address is announced as; absent: the address that the client reached.
  std::optional<address> external;
  std::string turn_secret;
  std::chrono::seconds credential_lifetime{12 * 3600};
};

struct turn_credential {
  std::string username, password;
};
[[nodiscard]] turn_credential mint(std::string_view secret, std::string_view name,
                                   std::int64_t expires_unix);

// For the client `name`, whose connection reached this server at `reached`.
[[nodiscard]] std::vector<signal::ice_server> servers_for(const announcement&,
                                                          std::string_view name,
                                                          const address& reached,
                                                          std::int64_t unix_now);

}  // namespace nat::hub
