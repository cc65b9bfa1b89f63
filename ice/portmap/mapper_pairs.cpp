#include <algorithm>

#include "ice/portmap/mapper_state.hpp"
#include "ice/portmap/ssdp.hpp"

namespace nat::portmap {
namespace {

using standing = lease::standing;

// It won't map, or has not said that it will for so long that the next one is asked.
bool is_out(const lease& l, bool grace_over) {
  switch (l.state()) {
    case standing::refused:
    case standing::absent:
    case standing::released:
      return true;
    case standing::idle:
    case standing::asking:
      return grace_over;
    case standing::granted:
      break;
  }
  return false;
}

}  // namespace

bool gateway_pair::has_mapping() const {
  return (pcp && pcp->life().external()) || (nat_pmp && nat_pmp->life().external()) ||
         (upnp && upnp->life().external());
}

bool gateway_pair::released() const {
  return (!pcp || pcp->life().released()) && (!nat_pmp || nat_pmp->life().released()) &&
         (!upnp || upnp->life().released());
}

bool gateway_pair::settled() const {
  return (!pcp || pcp->life().settled()) && (!nat_pmp || nat_pmp->settled()) &&
         (!upnp || upnp->settled());
}

bool gateway_pair::waits_for_turn() const {
  if (has_mapping()) return false;
  const bool nat_pmp_waits =
      nat_pmp && nat_pmp->external_address() && nat_pmp->life().state() == standing::idle;
  return nat_pmp_waits || (upnp && upnp->ready() && upnp->life().state() == standing::idle);
}

std::optional<time_point> gateway_pair::next_timeout() const {
  std::optional<time_point> next;
  if (pcp) next = pcp->life().next_timeout();
  if (nat_pmp) next = earlier(next, nat_pmp->next_timeout());
  return upnp ? earlier(next, upnp->next_timeout()) : next;
}

void mapper::state::step(gateway_pair& p, time_point now) {
  send_due(p, now);
  take_turns(p, now);
  send_due(p, now);
  if (p.upnp) {
    if (auto wanted = p.upnp->poll_exchange()) {
      p.exchange = next_exchange_++;
      tell(tcp_exchange{p.exchange, p.base.ip, wanted->to, std::move(wanted->request)});
    }
  }
  report(p, now);
}

void mapper::state::take_turns(gateway_pair& p, time_point now) const {
  if (releasing_ || p.has_mapping()) return;
  const bool grace_over = now >= p.started + config_.grace;
  if (p.pcp && !is_out(p.pcp->life(), grace_over)) return;
  if (p.nat_pmp) {
    // Willing: asked, and UPnP waits until that is answered, or for the grace.
    if (p.nat_pmp->external_address()) p.nat_pmp->map(now);
    if (!is_out(p.nat_pmp->life(), grace_over)) return;
  }
  if (p.upnp) p.upnp->map(now);
}

void mapper::state::send_due(gateway_pair& p, time_point now) {
  const endpoint server{p.gateway, server_port};
  if (p.pcp && p.pcp->life().handle_timeout(now)) queue(p, server, p.pcp->request());
  if (p.nat_pmp) {
    if (auto out = p.nat_pmp->handle_address_timeout(now)) queue(p, server, std::move(*out));
    if (auto out = p.nat_pmp->handle_map_timeout(now)) queue(p, server, std::move(*out));
  }
  if (p.upnp && p.upnp->handle_timeout(now)) {
    // To the gateway alone as well: a switch that loses multicast is no rarity.
    for (const auto& to : {ssdp::group(p.base.ip.v4), endpoint{p.gateway, ssdp::port}}) {
      queue(p, to, ssdp::search(to));
    }
  }
}

void mapper::state::report(gateway_pair& p, time_point now) {
  if (p.pcp) {
    const auto& got = p.pcp->life().external();
    const auto external = got && p.base.ip.v4 ? std::optional(got->ip) : std::nullopt;
    report_answer(p, protocol::pcp, p.pcp->spoken(), external);
  }
  if (p.nat_pmp) {
    report_answer(p, protocol::nat_pmp, p.nat_pmp->spoken(), p.nat_pmp->external_address());
  }
  if (p.upnp) report_answer(p, protocol::upnp, p.upnp->spoken(), p.upnp->external_address());
  report_lease(p, protocol::pcp, p.pcp ? &p.pcp->life() : nullptr, now);
  report_lease(p, protocol::nat_pmp, p.nat_pmp ? &p.nat_pmp->life() : nullptr, now);
  report_lease(p, protocol::upnp, p.upnp ? &p.upnp->life() : nullptr, now);
}

void mapper::state::report_answer(gateway_pair& p, protocol how, bool spoken,
                                  const std::optional<address>& external) {
  auto& t = p.told_of[static_cast<std::size_t>(how)];
  if (!spoken || (t.answered && (!external || t.external == external))) return;
  t.answered = true;
  if (external) t.external = external;
  tell(answered{how, p.gateway, p.base, t.external});
}

void mapper::state::report_lease(gateway_pair& p, protocol how, const lease* life, time_point now) {
  auto& t = p.told_of[static_cast<std::size_t>(how)];
  const auto before = t.stands ? std::optional(t.stands->external) : std::nullopt;
  const auto external = life ? life->external() : std::nullopt;
  if (!external && t.stands) {
    tell(unmapped{*t.stands});
    t.stands.reset();
  } else if (external != before) {
    t.stands = mapping{.how = how,
                       .gateway = p.gateway,
                       .base = p.base,
                       .external = *external,
                       .lifetime = life->lifetime(),
                       .took = now - p.started};
    tell(mapped{*t.stands});
  }
  const bool no = life && t.answered &&
                  (life->state() == standing::refused || life->state() == standing::absent);
  if (no && t.refusal != life->reason()) {
    t.refusal = life->reason();
    tell(refused{how, p.gateway, p.base, t.refusal});
  }
}

void mapper::state::queue(const gateway_pair& p, const endpoint& to, bytes data) {
  if (outbox_.size() >= config_.max_outbox) return;
  outbox_.push_back({.via = {transport::udp, p.base, to},
                     .data = std::move(data),
                     .segment_size = 0,
                     .hop_limit = std::nullopt});
}

// A driver that does not drain finds the latest state in mappings().
void mapper::state::tell(mapper_event event) {
  if (events_.size() < config_.max_events) events_.push_back(std::move(event));
}

}  // namespace nat::portmap
