#include "stun/behavior/verdict.hpp"

#include <algorithm>

namespace nat::behavior {
namespace {

using evidence = std::span<const exchange>;

bool in_shared_space(const address& a) {  // 100.64/10, RFC 6598
  return a.v4 && a.octets[0] == std::byte{100} &&
         (a.octets[1] & std::byte{0xc0}) == std::byte{0x40};
}

void add_once(std::vector<address>& to, const address& a) {
  if (std::ranges::find(to, a) == to.end()) to.push_back(a);
}

void collect_addresses(evidence all, verdict& out) {
  for (const auto& e : all) {
    if (e.why == purpose::hairpin || e.why == purpose::lifetime) continue;
    if (!e.answered() || !e.mapped) continue;
    out.udp = true;
    if (!is_unspecified(e.local.ip)) add_once(out.local, e.local.ip);
    add_once(out.external, e.mapped->ip);
    if (e.mapped != e.local) {
      out.translated = true;
    } else if (!out.translated) {
      out.translated = false;
    }
  }
}

bool is_mapping_answer(const exchange& e) {
  return e.why == purpose::mapping && e.answered() && e.mapped;
}

// RFC 5780, 4.3, over whatever destinations answered one socket.
void judge_mapping(evidence all, verdict& out) {
  if (out.translated == false) {
    out.mapping = dependence::endpoint;
    return;
  }
  bool by_port = false, by_address = false, ports_compared = false, addresses_compared = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const auto &a = all[i], &b = all[j];
      if (!is_mapping_answer(a) || !is_mapping_answer(b) || a.local != b.local || a.to == b.to) {
        continue;
      }
      const bool same_address = a.to.ip == b.to.ip;
      const bool differs = a.mapped != b.mapped;
      (same_address ? ports_compared : addresses_compared) = true;
      if (differs) (same_address ? by_port : by_address) = true;
    }
  }
  out.mapping_depends = by_port || by_address;
  if (by_port) {
    out.mapping = dependence::address_and_port;
  } else if (by_address && ports_compared) {
    out.mapping = dependence::address;
  } else if (!by_address && addresses_compared) {
    out.mapping = dependence::endpoint;
  }
}

// The places that an answer to CHANGE-REQUEST would come from do answer when they are asked.
bool reached(evidence all, const endpoint& server, bool other_ip) {
  return std::ranges::any_of(all, [&](const exchange& e) {
    return is_mapping_answer(e) && e.to.port != server.port && (e.to.ip != server.ip) == other_ip;
  });
}

// RFC 5780, 4.4.
dependence judge_filtering(evidence all, const endpoint& server) {
  const exchange* both = nullptr;
  const exchange* port = nullptr;
  for (const auto& e : all) {
    if (e.why != purpose::filtering) continue;
    if (e.change.change_ip && e.change.change_port) both = &e;
    if (!e.change.change_ip && e.change.change_port) port = &e;
  }
  if (both == nullptr || port == nullptr) return dependence::unknown;
  if (both->answered()) return dependence::endpoint;
  if (both->what != outcome::silent || !reached(all, server, true)) return dependence::unknown;
  if (port->answered()) return dependence::address;
  if (port->what != outcome::silent || !reached(all, server, false)) return dependence::unknown;
  return dependence::address_and_port;
}

port_allocation judge_ports(evidence all) {
  std::vector<port_sample> samples;
  for (const auto& e : all) {
    if (e.why != purpose::ports || !e.answered() || !e.mapped) continue;
    samples.push_back({e.local.port, e.mapped->port, e.sends > 1});
  }
  return classify_ports(samples);
}

pooling judge_pooling(evidence all) {
  std::vector<address> seen;
  std::size_t samples = 0;
  for (const auto& e : all) {
    if (e.why != purpose::ports || !e.answered() || !e.mapped) continue;
    ++samples;
    add_once(seen, e.mapped->ip);
  }
  if (samples < least_samples) return pooling::unknown;
  return seen.size() == 1 ? pooling::paired : pooling::arbitrary;
}

std::optional<bool> judge_hairpin(evidence all, const verdict& so_far) {
  if (so_far.translated != true) return std::nullopt;
  bool tried = false, foreseen = false;
  for (const auto& e : all) {
    if (e.why != purpose::hairpin) continue;
    if (e.answered()) return true;
    if (e.what != outcome::silent) continue;
    tried = true;
    foreseen = foreseen || e.predicted;
  }
  // Mappings that depend on the destination and a filter that knows only it: what comes from our
  // own side is a stranger there, so that it is stopped says nothing.
  const bool conclusive = foreseen || so_far.mapping == dependence::endpoint ||
                          so_far.filtering == dependence::endpoint;
  return tried && conclusive ? std::optional(false) : std::nullopt;
}

std::optional<bool> judge_fragments(evidence all) {
  for (const auto& e : all) {
    if (e.why != purpose::fragments) continue;
    if (e.answered()) return true;
    if (e.what == outcome::silent) return false;
  }
  return std::nullopt;
}

// What was asked for by RESPONSE-PORT and came, or did not.
std::optional<lifetime_bounds> judge_lifetime(evidence all) {
  std::optional<lifetime_bounds> out;
  for (const auto& e : all) {
    if (e.why != purpose::lifetime || e.response_port == 0) continue;
    if (!e.answered() && e.what != outcome::silent) continue;
    if (!out) out.emplace();
    if (e.answered()) {
      out->alive_after = std::max(out->alive_after, e.silence);
    } else {
      out->gone_after = out->gone_after ? std::min(*out->gone_after, e.silence) : e.silence;
    }
  }
  return out;
}

layers judge_layers(const verdict& so_far, const circumstances& known) {
  if (so_far.translated != true || so_far.external.empty()) return layers::unknown;
  const auto& router = known.router_external;
  if (router && router->v4 != so_far.external.front().v4) return layers::unknown;
  const bool shared = std::ranges::any_of(so_far.local, in_shared_space);
  if (shared || (router && in_shared_space(*router))) return layers::carrier_grade;
  if (!router) return layers::unknown;
  return std::ranges::find(so_far.external, *router) != so_far.external.end() ? layers::one
                                                                              : layers::doubled;
}

bool was_refused(evidence all, purpose why) {
  return std::ranges::any_of(
      all, [&](const exchange& e) { return e.why == why && e.what == outcome::refused; });
}

void say_unlearned(evidence all, const circumstances& known, verdict& v) {
  const auto say = [&](std::string text) { v.unlearned.push_back(std::move(text)); };
  if (!v.udp) return;
  const bool alternate = std::ranges::any_of(all, [](const exchange& e) { return !!e.other; });
  const std::string wants = alternate ? "its second address did not answer"
                                      : "takes a server with a second address (RFC 5780)";
  if (v.mapping == dependence::unknown) {
    say(v.mapping_depends ? "whether the mapping depends on the port too: " + wants
                          : "mapping: takes a second STUN server or one with a second address");
  }
  if (v.filtering == dependence::unknown) say("filtering: " + wants);
  if (v.translated == true && !v.hairpin) {
    say("hairpin: this NAT's filter stops the test itself, and its ports can't be foreseen");
  }
  if (!v.fragments) {
    say(was_refused(all, purpose::fragments) ? "fragments: the server refuses PADDING"
                                             : "fragments: " + wants);
  }
  if (known.lifetime_wanted && !v.lifetime) say("lifetime: takes a server with RESPONSE-PORT");
  if (v.translated == true && v.layers == layers::unknown) {
    say("whether this is the only NAT: the router does not tell its own address");
  }
}

}  // namespace

verdict judge(std::span<const exchange> all, const circumstances& known) {
  verdict out;
  collect_addresses(all, out);
  // A refusal came over UDP, too.
  out.udp_blocked = !out.udp && known.tcp == true && !was_refused(all, purpose::mapping);
  if (!out.udp) return out;
  judge_mapping(all, out);
  out.filtering = judge_filtering(all, known.server);
  out.ports = judge_ports(all);
  out.pooling = judge_pooling(all);
  out.hairpin = judge_hairpin(all, out);
  out.fragments = judge_fragments(all);
  out.lifetime = judge_lifetime(all);
  out.layers = judge_layers(out, known);
  say_unlearned(all, known, out);
  return out;
}

}  // namespace nat::behavior
