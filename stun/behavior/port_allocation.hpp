#pragma once

// How a NAT chooses external ports, told from the first mappings of several sockets: RFC 4787,
// 4.2, and the two habits that let a peer foresee them (sequences, blocks).

#include <cstdint>
#include <span>
#include <string_view>

namespace nat::behavior {

struct port_sample {
  std::uint16_t local = 0, external = 0;
  bool retransmitted = false;  // may have reached the NAT out of order
};

enum class port_choice : std::uint8_t { unknown, preserving, sequential, random, block };

struct port_allocation {
  port_choice kind = port_choice::unknown;
  int step = 0;                     // sequential: from one mapping to the next; may be negative
  std::uint16_t low = 0, high = 0;  // block: its estimated bounds; both inclusive
  bool operator==(const port_allocation&) const = default;
};

// Fewer don't tell anything.
inline constexpr std::size_t least_samples = 3;
// From as many on a block is told from chance, and its bounds are good to about a tenth.
inline constexpr std::size_t block_samples = 24;
inline constexpr int widest_step = 64, widest_block = 8192;

// In the order of sending. With fewer than block_samples what is neither preserving nor sequential
// is random.
[[nodiscard]] port_allocation classify_ports(std::span<const port_sample>);

[[nodiscard]] std::string_view to_string(port_choice) noexcept;

}  // namespace nat::behavior
