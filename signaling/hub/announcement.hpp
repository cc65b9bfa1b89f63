#pragma once

// Which STUN and TURN servers a client is told to use, with credentials for the latter by the TURN
// REST convention (stun/turn/rest_credentials.hpp).

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
  // Its second ones (RFC 5780): what a client sends from the same socket to both tells it how it is
  // mapped.
  std::vector<endpoint> stun_alternate{};
  bool turn = false;  // the first ones relay, too
  // What a wildcard address is announced as; absent: the address that the client reached.
  std::optional<address> external;
  // The sockets that take TURN over TLS, and whom their certificate is for: an address that it
  // covers, or else its name; where it has neither, they are left out.
  std::vector<endpoint> tls{};
  std::string certified_name{};
  std::vector<address> certified_addresses{};
  std::string turn_secret;
  std::chrono::seconds credential_lifetime{12 * 3600};
};

// For the client `name`, whose connection reached this server at `reached`.
[[nodiscard]] std::vector<signal::ice_server> servers_for(const announcement&,
                                                          std::string_view name,
                                                          const address& reached,
                                                          std::int64_t unix_now);

}  // namespace nat::hub
