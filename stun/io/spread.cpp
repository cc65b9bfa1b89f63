#include "stun/io/spread.hpp"

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <bit>

namespace nat::stun::io {
namespace {

// Offsets of the source address in the IP header; of an IPv6 one the first two words.
constexpr std::uint32_t network = std::bit_cast<std::uint32_t>(SKF_NET_OFF);
constexpr std::uint32_t source_v4 = network + 12, source_v6 = network + 8;

constexpr sock_filter load(std::uint32_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset};
}

}  // namespace

void spread_by_source(int descriptor, bool v4, unsigned count, std::uint32_t seed) noexcept {
  std::array<sock_filter, 8> program{
      // IPv4 has one word of address, IPv6 two: A and X.
      v4 ? sock_filter{BPF_LD | BPF_IMM, 0, 0, 0} : load(source_v6),
      sock_filter{BPF_MISC | BPF_TAX, 0, 0, 0},
      load(v4 ? source_v4 : source_v6 + 4),
      sock_filter{BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0},
      sock_filter{BPF_ALU | BPF_MUL | BPF_K, 0, 0, seed | 1},
      sock_filter{BPF_ALU | BPF_RSH | BPF_K, 0, 0, 16},
      sock_filter{BPF_ALU | BPF_MOD | BPF_K, 0, 0, count},
      sock_filter{BPF_RET | BPF_A, 0, 0, 0},
  };
  const sock_fprog all{program.size(), program.data()};
  (void)setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all);
}

}  // namespace nat::stun::io
