#include "peer-cli/commands/routers.hpp"

#include <algorithm>

namespace nat::commands {

json to_json(const portmap::mapping& m) {
  return {{"protocol", to_string(m.how)},
          {"gateway", to_string(m.gateway)},
          {"internal", to_json(m.base, transport::udp)},
          {"external", to_json(m.external, transport::udp)},
          {"lifetime_s", m.lifetime.count()}};
}

routers::entry& routers::at(portmap::protocol how, const address& gateway, const endpoint& base) {
  const auto same = [&](const entry& e) {
    return e.how == how && e.gateway == gateway && e.base == base;
  };
  const auto found = std::ranges::find_if(entries_, same);
  if (found != entries_.end()) return *found;
  return entries_.emplace_back(entry{.how = how, .gateway = gateway, .base = base});
}

void routers::note(const portmap::answered& a) {
  auto& e = at(a.how, a.gateway, a.base);
  if (a.external) e.external = a.external;
}

void routers::note(const portmap::mapped& m) {
  at(m.what.how, m.what.gateway, m.what.base).mapped = m.what.external;
}

void routers::note(const portmap::unmapped& m) {
  at(m.what.how, m.what.gateway, m.what.base).mapped.reset();
}

void routers::note(const portmap::refused& r) {
  at(r.how, r.gateway, r.base).refused = r.reason;
}

void routers::note(const ice::found& f) {
  if (f.what.kind != ice::candidate_kind::server_reflexive) return;
  if (!f.via.starts_with("stun") && !f.via.starts_with("turn")) return;
  std::erase_if(seen_, [&](const sighting& s) { return s.base == f.what.base; });
  seen_.push_back({f.what.base, f.what.address.ip});
}

// The router's other side is an address that no server can have seen, or not the one that it saw.
std::optional<bool> routers::second_nat(const entry& e) const {
  if (!e.external) return std::nullopt;
  const auto seen = std::ranges::find(seen_, e.base, &sighting::base);
  if (seen != seen_.end()) return seen->seen != *e.external;
  return is_private(*e.external) ? std::optional(true) : std::nullopt;
}

json routers::list() const {
  auto out = json::array();
  for (const auto& e : entries_) {
    json one{{"protocol", to_string(e.how)}, {"gateway", to_string(e.gateway)}};
    if (e.external) one["external_address"] = to_string(*e.external);
    if (e.mapped) one["mapped"] = to_json(*e.mapped, transport::udp);
    if (!e.refused.empty()) one["refused"] = e.refused;
    if (const auto second = second_nat(e)) one["second_nat"] = *second;
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<std::string> routers::lines() const {
  std::vector<std::string> out;
  for (const auto& e : entries_) {
    auto line = std::string(to_string(e.how)) + ':' + to_string(e.gateway);
    line += e.mapped             ? " leads " + to_string(*e.mapped) + " here"
            : !e.refused.empty() ? " maps no port: " + e.refused
                                 : " answers";
    if (e.external && !e.mapped) line += ", external address " + to_string(*e.external);
    if (second_nat(e) == true) line += ", another NAT behind it";
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace nat::commands
