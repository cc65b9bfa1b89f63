#pragma once

// Who the client behind a proxy is. X-Forwarded-For is a list to which each proxy appends whom it
// heard; all but what trusted proxies appended may be invented, so it is read from the right.

#include <string_view>
#include <vector>

#include "stun/turn/prefix.hpp"

namespace nat::hub {

class trusted_proxies {
 public:
  trusted_proxies() = default;
  explicit trusted_proxies(std::vector<turn::prefix> all) : all_(std::move(all)) {}

  [[nodiscard]] bool trusts(const address&) const noexcept;
  // The first address from the right that is not a trusted proxy's. Where the list ends before one,
  // or holds what is no address, the last one that a trusted proxy vouched for.
  [[nodiscard]] address client_of(const address& peer, std::string_view forwarded_for) const;

 private:
  std::vector<turn::prefix> all_;
};

}  // namespace nat::hub
