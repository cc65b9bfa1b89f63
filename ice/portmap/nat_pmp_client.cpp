#include "ice/portmap/nat_pmp_client.hpp"

#include "ice/portmap/external_address.hpp"

namespace nat::portmap {

nat_pmp_client::nat_pmp_client(const endpoint& base, const lease_rules& rules,
                               random_source& random, time_point now)
    : base_(base), question_(rules, random), lease_(rules, random) {
  question_.ask(now);
}

void nat_pmp_client::map(time_point now) {
  if (lease_.state() == lease::standing::idle) lease_.ask(now);
}

void nat_pmp_client::give_up(const std::string& reason) {
  question_.give_up(reason);
  lease_.give_up(reason);
}

bool nat_pmp_client::handle(const nat_pmp::response& in, time_point now) {
  auto& asked = in.operation == 0 ? question_ : lease_;
  if (!asked.expects_answer()) return false;
  if (in.map && in.map->internal_port != base_.port) return false;  // another client's, or stray
  spoken_ = true;
  lease_.heard();
  if (lease_.releasing()) {
    // RFC 6886, 3.4: confirmed with lifetime 0; what else comes answers an earlier request.
    if (!in.map || in.map->lifetime == 0) lease_.release_confirmed();
  } else if (in.code != nat_pmp::result::success) {
    asked.refuse(std::string(explain(in.code)), 0, now);
  } else if (in.external) {
    if (!is_plausible(*in.external, base_)) {
      question_.refuse("it has no external address", 0, now);
      return true;
    }
    external_ = *in.external;
    // Not a lease; that it may have changed is asked at half-time all the same.
    question_.grant({*external_, 0}, static_cast<std::uint32_t>(question_.wanted().count()), now);
    if (lease_.external() && lease_.external()->ip != *external_) {
      lease_.grant({*external_, lease_.external()->port},
                   static_cast<std::uint32_t>(lease_.lifetime().count()), now);
    }
  } else if (in.map) {
    take(*in.map, now);
  }
  return true;
}

void nat_pmp_client::take(const nat_pmp::map_body& map, time_point now) {
  if (map.external_port == 0 || map.lifetime == 0 || !external_) {
    return lease_.refuse("it granted what can't be a port", 0, now);
  }
  lease_.grant({*external_, map.external_port}, map.lifetime, now);
}

std::optional<bytes> nat_pmp_client::handle_address_timeout(time_point now) {
  if (!question_.handle_timeout(now)) return std::nullopt;
  return nat_pmp::write_address_request();
}

std::optional<bytes> nat_pmp_client::handle_map_timeout(time_point now) {
  if (!lease_.handle_timeout(now)) return std::nullopt;
  if (lease_.releasing()) return nat_pmp::write_map_request(base_.port, 0, 0);
  const auto port = lease_.external() ? lease_.external()->port : base_.port;
  return nat_pmp::write_map_request(base_.port, port,
                                    static_cast<std::uint32_t>(lease_.wanted().count()));
}

std::optional<time_point> nat_pmp_client::next_timeout() const {
  return earlier(question_.next_timeout(), lease_.next_timeout());
}

bool nat_pmp_client::settled() const {
  return question_.settled() && lease_.settled();
}

void nat_pmp_client::release(time_point now) {
  // The question leaves nothing behind.
  question_.give_up({});
  question_.release(now);
  question_.release_confirmed();
  lease_.release(now);
}

}  // namespace nat::portmap
