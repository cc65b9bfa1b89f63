#include "ice/portmap/external_address.hpp"

namespace nat::portmap {

bool is_plausible(const address& external, const endpoint& base) noexcept {
  if (external.v4 != base.ip.v4 || is_unspecified(external) || is_loopback(external)) return false;
  if (is_link_local(external) || is_multicast(external)) return false;
  // 0.0.0.0/8 and 240.0.0.0/4 with the broadcast address (RFC 6890).
  const auto first = std::to_integer<unsigned>(external.octets[0]);
  return !external.v4 || (first != 0 && first < 240);
}

}  // namespace nat::portmap
