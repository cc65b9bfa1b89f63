#pragma once

// What a NAT means for connecting: against another one, and against each kind there is.

#include <cstdint>
#include <string_view>
#include <vector>

#include "stun/behavior/verdict.hpp"

namespace nat::behavior {

// As much of a verdict as another one can be held against. A file may hold one.
struct profile {
  bool udp = true;
  dependence mapping = dependence::unknown;
  bool mapping_depends = false;
  dependence filtering = dependence::unknown;
  port_choice ports = port_choice::unknown;
};
[[nodiscard]] profile profile_of(const verdict&) noexcept;

enum class way : std::uint8_t {
  direct,
  predicted,  // direct, by ports that can be foreseen
  sprayed,    // direct, by trying many ports (birthday)
  relayed,
  unknown,  // too little is known about one of them
};

// Both behind different NATs, both with this project's means.
[[nodiscard]] way forecast(const profile&, const profile&) noexcept;
// "direct, by ports predicted".
[[nodiscard]] std::string_view to_string(way) noexcept;

struct advice {
  std::string_view peer;  // "port-restricted cone"
  way by;
};
// Against the open internet, the three cones, a symmetric NAT with ports in sequence and one with
// ports at random, and blocked UDP.
[[nodiscard]] std::vector<advice> advise(const profile&);

// A port-restricted peer, which is most of them, can't be reached directly without special means.
[[nodiscard]] bool is_hostile(const profile&) noexcept;

}  // namespace nat::behavior
