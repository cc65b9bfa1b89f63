#pragma once

// What an exchange does that an operator may want to read of. The views live as long as the call,
// which must not call the exchange.

#include <string_view>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/error_code.hpp"

namespace nat::hub {

class journal {
 public:
  virtual ~journal() = default;
  virtual void registered(const address& client, std::string_view name, bool resumed) = 0;
  // unauthorized: `reason` is no-token, wrong-token, wrong-name or untimely; rate_limited: too many
  // of those came from there; id_taken.
  virtual void refused(const address& client, std::string_view name, error_code,
                       std::string_view reason) = 0;
};

}  // namespace nat::hub
