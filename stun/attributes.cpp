#include "stun/attributes.hpp"

#include <algorithm>

namespace nat::stun {
namespace {

template <attribute... As>
constexpr auto types_of() {
  std::array types{As::type...};
  std::ranges::sort(types);
  return types;
}

constexpr auto known_types =
    types_of<attr::mapped_address, attr::username, attr::message_integrity, attr::error_code,
             attr::unknown_attributes, attr::realm, attr::nonce, attr::message_integrity_sha256,
             attr::password_algorithm, attr::userhash, attr::xor_mapped_address,
             attr::password_algorithms, attr::alternate_domain, attr::software,
             attr::alternate_server, attr::fingerprint, attr::channel_number, attr::lifetime,
             attr::xor_peer_address, attr::data, attr::xor_relayed_address,
             attr::requested_address_family, attr::even_port, attr::requested_transport,
             attr::dont_fragment, attr::reservation_token, attr::additional_address_family,
             attr::address_error_code, attr::icmp, attr::priority, attr::use_candidate,
             attr::ice_controlled, attr::ice_controlling, attr::nomination, attr::change_request,
             attr::padding, attr::response_port, attr::response_origin, attr::other_address>();
static_assert(std::ranges::adjacent_find(known_types) == known_types.end());

}  // namespace

bool is_known_attribute(std::uint16_t type) noexcept {
  return std::ranges::binary_search(known_types, type);
}

}  // namespace nat::stun
