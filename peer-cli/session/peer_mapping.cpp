// The part of the peer that has ports mapped by the routers at hand. Mappings belong to sockets,
// not to links: they outlive a link and its gatherer.

#include <algorithm>
#include <utility>

#include "ice/portmap/pcp.hpp"
#include "peer-cli/session/peer.hpp"

namespace nat::session {

void peer::set_gateways(const endpoint& base, const std::vector<address>& gateways,
                        time_point now) {
  // Under --policy relay nothing of ours is to be known but the relay.
  if (!config_.port_mapping || config_.policy == path_policy::relay || stopping_) return;
  mapper_.set_gateways(base, gateways, now);
  flush_mapper(now);
}

void peer::exchange_done(std::uint32_t id, std::optional<std::string_view> received,
                         time_point now) {
  mapper_.exchange_done(id, received, now);
}

void peer::handle_announcement(const endpoint& from, byte_view datagram, time_point now) {
  mapper_.handle_announcement(from, datagram, now);
}

void peer::offer_mapping(const portmap::mapping& what) {
  gatherer_->add_mapped(what.base, what.external, {what.gateway, portmap::server_port}, what.via(),
                        what.took);
}

void peer::flush_mapper(time_point now) {
  while (auto event = mapper_.poll_event()) {
    if (auto* const exchange = std::get_if<portmap::tcp_exchange>(&*event)) {
      requests_.emplace_back(std::move(*exchange));
      continue;
    }
    if (const auto* const got = std::get_if<portmap::mapped>(&*event)) {
      offer_mapping(got->what);
      flush_gatherer(now);
      events_.emplace_back(*got);
    } else if (const auto* const lost = std::get_if<portmap::unmapped>(&*event)) {
      const auto same = [&](const ice::found& f) {
        return f.what.base == lost->what.base && f.what.address == lost->what.external &&
               f.via == lost->what.via();
      };
      std::erase_if(found_, same);  // for whoever comes next; a pair that uses it finds out
      events_.emplace_back(*lost);
    } else if (const auto* const spoken = std::get_if<portmap::answered>(&*event)) {
      events_.emplace_back(*spoken);
    } else if (auto* const no = std::get_if<portmap::refused>(&*event)) {
      events_.emplace_back(std::move(*no));
    }
  }
}

}  // namespace nat::session
