#include "ice/portmap/mapper.hpp"

#include <algorithm>

#include "ice/portmap/mapper_state.hpp"
#include "protocol/base/big_endian.hpp"

namespace nat::portmap {
namespace {

// A public IPv4 address needs no mapping, and what routes it is no home's gateway.
bool needs_port(const endpoint& base) {
  if (is_unspecified(base.ip) || is_loopback(base.ip) || is_link_local(base.ip)) return false;
  return base.port != 0 && (!base.ip.v4 || is_private(base.ip));
}

}  // namespace

std::string_view to_string(protocol p) noexcept {
  return p == protocol::pcp ? "pcp" : p == protocol::nat_pmp ? "nat-pmp" : "upnp";
}

std::string mapping::via() const {
  return std::string(to_string(how)) + ':' + to_string(gateway);
}

mapper::mapper(mapper_config config, random_source& random)
    : state_(std::make_unique<state>(config, random)) {}
mapper::~mapper() = default;
mapper::mapper(mapper&&) noexcept = default;
mapper& mapper::operator=(mapper&&) noexcept = default;

void mapper::set_gateways(const endpoint& base, const std::vector<address>& gateways,
                          time_point now) {
  auto& pairs = state_->pairs_;
  for (auto p = pairs.begin(); p != pairs.end();) {
    const bool gone = p->base == base && std::ranges::find(gateways, p->gateway) == gateways.end();
    if (gone) state_->drop(*p, now);
    p = gone ? pairs.erase(p) : std::next(p);
  }
  if (state_->releasing_ || !needs_port(base)) return;
  for (const auto& gateway : gateways) {
    const auto same = [&](const gateway_pair& p) { return p.base == base && p.gateway == gateway; };
    if (gateway.v4 == base.ip.v4 && !is_unspecified(gateway) && gateway != base.ip &&
        pairs.size() < state_->config_.max_pairs && std::ranges::none_of(pairs, same)) {
      state_->add(base, gateway, now);
    }
  }
}

void mapper::remove(const endpoint& base, time_point now) {
  set_gateways(base, {}, now);
}

bool mapper::handle_datagram(const path& from, byte_view datagram, time_point now) {
  if (from.proto != transport::udp) return false;
  for (auto& p : state_->pairs_) {
    if (p.base != from.local) continue;
    if (from.remote == endpoint{p.gateway, server_port}) {
      state_->handle_server(p, datagram, now);
      state_->step(p, now);
      return true;
    }
    if (p.upnp && p.upnp->handle_datagram(from.remote, datagram, now)) {
      state_->step(p, now);
      return true;
    }
  }
  return false;
}

void mapper::handle_announcement(const endpoint& from, byte_view datagram, time_point now) {
  const auto known = [&](const gateway_pair& p) { return p.gateway == from.ip; };
  if (from.port != server_port || datagram.empty()) return;
  if (std::ranges::none_of(state_->pairs_, known)) return;
  if (load_be<std::uint8_t>(datagram) == 0) {
    const auto said = nat_pmp::read(datagram);
    if (!said || !said->external) return;
    state_->note_epoch(protocol::nat_pmp, from.ip, said->epoch, nullptr, now);
  } else {
    const auto said = pcp::read(datagram);
    if (!said || said->what != pcp::opcode::announce || said->code != pcp::result::success) return;
    state_->note_epoch(protocol::pcp, from.ip, said->epoch, nullptr, now);
  }
}

void mapper::handle_send_failure(const path& via, time_point now) {
  constexpr auto reason = "nothing listens there";
  for (auto& p : state_->pairs_) {
    if (p.base != via.local || via.remote != endpoint{p.gateway, server_port}) continue;
    if (p.pcp) p.pcp->life().give_up(reason);
    if (p.nat_pmp) p.nat_pmp->give_up(reason);
    state_->step(p, now);
  }
}

void mapper::exchange_done(std::uint32_t id, std::optional<std::string_view> received,
                           time_point now) {
  for (auto& p : state_->pairs_) {
    if (id == 0 || p.exchange != id) continue;
    p.exchange = 0;
    p.upnp->handle_response(received, now);
    state_->step(p, now);
    return;
  }
}

void mapper::handle_timeout(time_point now) {
  for (auto& p : state_->pairs_) state_->step(p, now);
}

void mapper::release(time_point now) {
  state_->releasing_ = true;
  for (auto& p : state_->pairs_) {
    if (p.pcp) p.pcp->life().release(now);
    if (p.nat_pmp) p.nat_pmp->release(now);
    if (p.upnp) p.upnp->release(now);
    state_->step(p, now);
  }
}

bool mapper::released() const {
  return state_->releasing_ && std::ranges::all_of(state_->pairs_, &gateway_pair::released);
}

bool mapper::settled(time_point now) const {
  return std::ranges::all_of(state_->pairs_, [&](const gateway_pair& p) {
    return p.settled() && (now >= p.started + state_->config_.grace || !p.waits_for_turn());
  });
}

std::vector<mapping> mapper::mappings() const {
  std::vector<mapping> out;
  for (const auto& p : state_->pairs_) {
    for (const auto& t : p.told_of) {
      if (t.stands) out.push_back(*t.stands);
    }
  }
  return out;
}

std::optional<transmit> mapper::poll_transmit() {
  if (state_->outbox_.empty()) return std::nullopt;
  auto first = std::move(state_->outbox_.front());
  state_->outbox_.pop_front();
  return first;
}

std::optional<mapper_event> mapper::poll_event() {
  if (state_->events_.empty()) return std::nullopt;
  auto first = std::move(state_->events_.front());
  state_->events_.pop_front();
  return first;
}

std::optional<time_point> mapper::next_timeout() const {
  std::optional<time_point> next;
  for (const auto& p : state_->pairs_) {
    next = earlier(next, p.next_timeout());
    if (!state_->releasing_ && p.waits_for_turn()) {
      next = earlier(next, p.started + state_->config_.grace);
    }
  }
  return next;
}

void mapper::state::add(const endpoint& base, const address& gateway, time_point now) {
  gateway_pair p{.base = base, .gateway = gateway, .started = now};
  if (config_.pcp) p.pcp.emplace(base, config_.lease, random_, now);
  if (config_.nat_pmp && base.ip.v4) {
    auto rules = config_.lease;
    if (rules.max_sends == 0) rules.max_sends = 9;  // RFC 6886, 3.1
    p.nat_pmp.emplace(base, rules, random_, now);
  }
  if (config_.upnp) p.upnp.emplace(base, gateway, config_.lease, random_, now);
  pairs_.push_back(std::move(p));
  step(pairs_.back(), now);
}

void mapper::state::drop(gateway_pair& p, time_point now) {
  p.pcp.reset();
  p.nat_pmp.reset();
  p.upnp.reset();
  report(p, now);
}

// Version 0 is NAT-PMP's, also in answer to PCP (RFC 6887, 9 and appendix A).
void mapper::state::handle_server(gateway_pair& p, byte_view datagram, time_point now) {
  if (datagram.empty()) return;
  if (load_be<std::uint8_t>(datagram) == 0) {
    const auto said = nat_pmp::read(datagram);
    if (!said) return;
    if (said->code == nat_pmp::result::unsupported_version) {
      if (p.pcp) p.pcp->life().give_up("it speaks NAT-PMP instead");
    } else if (p.nat_pmp && p.nat_pmp->handle(*said, now)) {
      note_epoch(protocol::nat_pmp, p.gateway, said->epoch, &p, now);
    }
    return;
  }
  const auto said = pcp::read(datagram);
  if (!said) return;
  if (said->code == pcp::result::unsupp_version) {
    // With our version in it, it is the answer to NAT-PMP's.
    if (said->version == pcp::version) {
      if (p.nat_pmp) p.nat_pmp->give_up("it speaks PCP instead");
    } else if (p.pcp) {
      p.pcp->life().give_up("it speaks another version of PCP");
    }
  } else if (p.pcp && p.pcp->handle(*said, now)) {
    note_epoch(protocol::pcp, p.gateway, said->epoch, &p, now);
  }
}

void mapper::state::note_epoch(protocol how, const address& gateway, std::uint32_t epoch,
                               const gateway_pair* from, time_point now) {
  const auto key = std::pair(gateway, how);
  if (!epochs_.contains(key) && epochs_.size() >= 2 * config_.max_pairs) epochs_.clear();
  if (!epochs_[key].restarted(epoch, now)) return;
  for (auto& p : pairs_) {
    if (p.gateway != gateway || &p == from) continue;
    if (how == protocol::pcp && p.pcp) p.pcp->life().renew(now);
    if (how == protocol::nat_pmp && p.nat_pmp) p.nat_pmp->life().renew(now);
    step(p, now);
  }
}

}  // namespace nat::portmap
