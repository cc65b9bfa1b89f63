#include "tests/sim/router.hpp"

#include <algorithm>

namespace nat::sim {
namespace {

nat_rules untranslated(nat_rules rules) {
  rules.translates = false;
  rules.open_input = false;
  return rules;
}

// RFC 5382, REQ-5: at least 2 hours and 4 minutes.
nat_rules for_tcp(nat_rules rules) {
  rules.lifetime = std::chrono::minutes{124};
  rules.filtering = dependence::address_and_port;
  return rules;
}

}  // namespace

router::router(fabric& f, network& outside, network& inside, const nat_rules& rules,
               const link_rules& outer, std::vector<address> external)
    : fabric_(f),
      inside_(inside),
      rules_(rules),
      external_(std::move(external)),
      inner_(*this, inside, link_rules{.mtu = SIZE_MAX}, &router::from_inside),
      outer_(*this, outside, outer, &router::from_outside),
      udp_(rules, rules.filtering, external_, f.chance),
      tcp_(for_tcp(rules), dependence::address_and_port, external_, f.chance),
      udp_v6_(untranslated(rules), rules.filtering_v6, {}, f.chance),
      tcp_v6_(untranslated(for_tcp(rules)), dependence::address_and_port, {}, f.chance) {
  inside.set_gateway(inner_);
  inside.outside = &outside;
  for (const auto& a : external_) outside.attach(outer_, a);
}

void router::restart() {
  for (auto* table : {&udp_, &tcp_, &udp_v6_, &tcp_v6_}) table->forget_all();
}

std::size_t router::mappings() const {
  return udp_.size(fabric_.now) + tcp_.size(fabric_.now);
}

void router::route(const address& inner) {
  outer_.on->attach(outer_, inner);
}

nat_table& router::table_for(const packet& p) {
  if (p.source.ip.v4) return p.proto == transport::udp ? udp_ : tcp_;
  return p.proto == transport::udp ? udp_v6_ : tcp_v6_;
}

bool router::is_own(const address& a) const {
  return std::ranges::find(external_, a) != external_.end();
}

bool router::forward(packet& p) {
  if (--p.hop_limit > 0) return true;
  ++fabric_.counters.hop_limit;
  return false;
}

void router::from_inside(packet p) {
  if (!forward(p)) return;
  if (p.unreachable) return error_from_inside(std::move(p));
  const bool blocked = rules_.udp_blocked && p.proto == transport::udp;
  const auto source =
      blocked ? std::nullopt : table_for(p).outbound(p.source, p.destination, fabric_.now);
  if (!source) {
    ++fabric_.counters.no_mapping;
    return;
  }
  if (is_own(p.destination.ip)) return hairpin(std::move(p), *source);
  p.source = *source;
  outer_.on->send(outer_, std::move(p));
}

// RFC 4787, 6, REQ-9a: "External source IP address and port".
void router::hairpin(packet p, const endpoint& external_source) {
  p.source = external_source;
  if (!rules_.hairpin) {
    ++fabric_.counters.refused;
    return;
  }
  const auto arrival = table_for(p).inbound(p.destination, p.source, fabric_.now);
  if (arrival.what != nat_table::verdict::pass) return refuse(p, arrival.what);
  p.destination = arrival.inner;
  inside_.send(inner_, std::move(p));
}

void router::from_outside(packet p) {
  if (p.unreachable) return error_from_outside(std::move(p));
  if (rules_.udp_blocked && p.proto == transport::udp) {
    ++fabric_.counters.refused;
    return;
  }
  const auto arrival = table_for(p).inbound(p.destination, p.source, fabric_.now);
  if (arrival.what != nat_table::verdict::pass) return refuse(p, arrival.what);
  if (!forward(p)) return;
  p.destination = arrival.inner;
  inside_.send(inner_, std::move(p));
}

void router::refuse(const packet& p, nat_table::verdict what) {
  ++(what == nat_table::verdict::taken_in ? fabric_.counters.taken_in : fabric_.counters.refused);
  // What was taken in finds no socket, so the router's own stack answers.
  const bool answers = what == nat_table::verdict::taken_in || rules_.unwanted == refusal::reject;
  if (!answers || p.unreachable || p.proto != transport::udp) return;
  outer_.on->send(
      outer_,
      packet{
          .proto = p.proto, .source = p.destination, .destination = p.source, .unreachable = true});
}

void router::error_from_inside(packet p) {
  const auto source = table_for(p).peek_outbound(p.source, p.destination, fabric_.now);
  if (!source) return;
  p.source = *source;
  outer_.on->send(outer_, std::move(p));
}

void router::error_from_outside(packet p) {
  const auto inner = table_for(p).peek_inbound(p.destination, fabric_.now);
  if (!inner || !forward(p)) return;
  p.destination = *inner;
  inside_.send(inner_, std::move(p));
}

}  // namespace nat::sim
