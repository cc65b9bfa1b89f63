#pragma once

// How many connections there are, in all and from one address; an IPv6 host is its /64. Holds an
// entry for an address only while it has connections.

#include <optional>
#include <unordered_map>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/keyed_hash.hpp"
#include "signaling/hub/limits.hpp"

namespace nat::hub {

// What counts as one place: an IPv4 address, or an IPv6 /64, for who holds one address of it holds
// all of them.
[[nodiscard]] address site_of(const address&);

class admission {
 public:
  admission(const limits&, random_source&);

  // False: too many. Each true is paired with one leave(). Without an address: a connection of a
  // proxy, which counts in all only until name() says whom it is for.
  [[nodiscard]] bool enter(const std::optional<address>&);
  [[nodiscard]] bool name(const address&);
  void leave(const std::optional<address>&);

  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  struct site_hash : keyed_hash {
    using keyed_hash::keyed_hash;
    std::size_t operator()(const address& a) const noexcept {
      return keyed_hash::operator()(as_text(a.octets));
    }
  };
  std::size_t max_, max_per_address_;
  std::size_t count_ = 0;
  std::unordered_map<address, std::uint32_t, site_hash> sites_;
};

}  // namespace nat::hub
