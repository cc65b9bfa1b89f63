#include "signaling/hub/admission.hpp"

#include <algorithm>

#include "protocol/base/ensure.hpp"

namespace nat::hub {

address site_of(const address& from) {
  auto site = unmapped(from);
  if (!site.v4) std::fill(site.octets.begin() + 8, site.octets.end(), std::byte{0});
  return site;
}

admission::admission(const limits& l, random_source& random)
    : max_(l.max_connections),
      max_per_address_(l.max_connections_per_address),
      sites_(0, site_hash(random)) {}

bool admission::enter(const std::optional<address>& from) {
  if (max_ != 0 && count_ >= max_) return false;
  if (from && !name(*from)) return false;
  ++count_;
  return true;
}

bool admission::name(const address& from) {
  auto& here = sites_[site_of(from)];
  // An entry that was just made is below any limit.
  if (max_per_address_ != 0 && here >= max_per_address_) return false;
  ++here;
  return true;
}

void admission::leave(const std::optional<address>& from) {
  ensure(count_ > 0);
  --count_;
  if (!from) return;
  const auto found = sites_.find(site_of(*from));
  ensure(found != sites_.end());
  if (--found->second == 0) sites_.erase(found);
}

}  // namespace nat::hub
