#include "stun/behavior/forecast.hpp"

#include <array>

namespace nat::behavior {
namespace {

constexpr profile cone(dependence filtering) {
  return {
      .mapping = dependence::endpoint, .filtering = filtering, .ports = port_choice::preserving};
}

constexpr profile symmetric(port_choice ports) {
  return {.mapping = dependence::address_and_port,
          .mapping_depends = true,
          .filtering = dependence::address_and_port,
          .ports = ports};
}

struct named {
  std::string_view name;
  profile what;
};

constexpr std::array kinds{
    named{"open internet", cone(dependence::endpoint)},
    named{"full cone", cone(dependence::endpoint)},
    named{"restricted cone", cone(dependence::address)},
    named{"port-restricted cone", cone(dependence::address_and_port)},
    named{"symmetric, ports in sequence", symmetric(port_choice::sequential)},
    named{"symmetric, ports at random", symmetric(port_choice::random)},
    named{"udp blocked", profile{.udp = false}},
};

// How its port towards a peer is found by that peer, whose own is known.
way by_ports_of(const profile& hard) {
  switch (hard.ports) {
    case port_choice::preserving:
    case port_choice::sequential:
      return way::predicted;
    case port_choice::random:
    case port_choice::block:
      return way::sprayed;
    case port_choice::unknown:
      break;
  }
  return way::unknown;
}

// One side's mapping depends on the destination, the other's does not.
way to_hard(const profile& easy, const profile& hard) {
  // A filter that looks at the address at most lets the hard side's unknown port in; one that
  // looks at nothing lets the easy side in.
  if (easy.filtering == dependence::endpoint || easy.filtering == dependence::address ||
      hard.filtering == dependence::endpoint) {
    return way::direct;
  }
  return easy.filtering == dependence::unknown ? way::unknown : by_ports_of(hard);
}

way both_hard(const profile& a, const profile& b) {
  if (a.filtering == dependence::endpoint || b.filtering == dependence::endpoint) {
    return way::direct;
  }
  const auto first = by_ports_of(a), second = by_ports_of(b);
  if (first == way::unknown || second == way::unknown) return way::unknown;
  if (first == way::predicted && second == way::predicted) return way::predicted;
  // Few ports to try where they come from a block, or where one side's is foreseen; both at random
  // is not worth it.
  const bool narrow = a.ports != port_choice::random && b.ports != port_choice::random;
  return narrow || first == way::predicted || second == way::predicted ? way::sprayed
                                                                       : way::relayed;
}

}  // namespace

profile profile_of(const verdict& v) noexcept {
  return {v.udp, v.mapping, v.mapping_depends, v.filtering, v.ports.kind};
}

way forecast(const profile& a, const profile& b) noexcept {
  if (!a.udp || !b.udp) return way::relayed;
  const auto is_unknown = [](const profile& p) {
    return p.mapping == dependence::unknown && !p.mapping_depends;
  };
  if (is_unknown(a) || is_unknown(b)) return way::unknown;
  if (a.mapping_depends && b.mapping_depends) return both_hard(a, b);
  if (a.mapping_depends) return to_hard(b, a);
  if (b.mapping_depends) return to_hard(a, b);
  return way::direct;
}

std::string_view to_string(way what) noexcept {
  switch (what) {
    case way::direct:
      return "direct";
    case way::predicted:
      return "direct, by ports predicted";
    case way::sprayed:
      return "direct, by trying many ports, or by relay";
    case way::relayed:
      return "by relay";
    case way::unknown:
      break;
  }
  return "unknown";
}

std::vector<advice> advise(const profile& ours) {
  std::vector<advice> out;
  for (const auto& kind : kinds) out.push_back({kind.name, forecast(ours, kind.what)});
  return out;
}

bool is_hostile(const profile& ours) noexcept {
  const auto by = forecast(ours, cone(dependence::address_and_port));
  return by != way::direct && by != way::unknown;
}

}  // namespace nat::behavior
