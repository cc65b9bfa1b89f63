#pragma once

// Which ports of one address are in use as relayed ports. Chosen at random (RFC 8656, 7.2: hard to
// guess), one bit a port.

#include <bitset>
#include <cstdint>
#include <optional>

#include "protocol/base/random.hpp"

namespace nat::turn {

class port_pool {
 public:
  // Both inclusive, 1 <= low <= high.
  port_pool(std::uint16_t low, std::uint16_t high);

  [[nodiscard]] std::optional<std::uint16_t> take(random_source&);
  [[nodiscard]] std::optional<std::uint16_t> take_even(random_source&);
  // An even port whose successor is free too; both are taken.
  [[nodiscard]] std::optional<std::uint16_t> take_pair(random_source&);
  void give_back(std::uint16_t port);

 private:
  template <class Fits>
  std::optional<std::uint16_t> find(random_source&, Fits);

  std::uint32_t low_, high_;
  std::bitset<65536> used_;
};

}  // namespace nat::turn
