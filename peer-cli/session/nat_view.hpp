#pragma once

// What the answers of STUN servers, which are asked anyway, tell about the NAT of each address
// family. The whole truth takes stun/behavior.

#include <optional>
#include <span>
#include <vector>

#include "ice/gather/mapping.hpp"

namespace nat::session {

struct nat_view {
  bool v4 = true;
  ice::mapping_kind mapping = ice::mapping_kind::unknown;
  std::optional<bool> translated = {};  // false: a server saw a socket's own address
  std::vector<address> external = {};   // each once
  std::vector<ice::mapping_observation> seen = {};
};

// Of the families that anything is known of, IPv4 first.
[[nodiscard]] std::vector<nat_view> view_nat(std::span<const ice::mapping_observation>);

}  // namespace nat::session
