#pragma once

// One recvmmsg: up to 32 buffers of 64 KiB, so that what the kernel coalesced (UDP_GRO) fits; and
// the error queue. One batch serves all sockets of a thread, since what it holds is only looked at
// inside one callback; the kernel touches of each buffer only what arrives.

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::stun::io {

class receive_batch {
 public:
  static constexpr std::size_t capacity = 32;
  static constexpr std::size_t buffer_size = 65536;

  // The calling thread's.
  static receive_batch& mine();

  // How many came; 0: none is there. Negative: -errno of an asynchronous error.
  [[nodiscard]] int receive(int descriptor) noexcept;

  struct item {
    endpoint from;
    std::optional<address> destination;  // with IP_PKTINFO
    byte_view data;
    std::size_t segment_size;
    bool truncated;
  };
  // Of the last receive(), valid until the next.
  [[nodiscard]] item at(std::size_t index) const noexcept;

 private:
  receive_batch();

  struct slot {
    sockaddr_in6 from;
    iovec buffer;
    alignas(cmsghdr) std::array<std::byte, 128> control;
  };
  std::unique_ptr<std::byte[]> storage_;
  std::array<slot, capacity> slots_;
  std::array<mmsghdr, capacity> headers_;
};

// Calls `use` with each datagram of what the kernel coalesced.
template <class Use>
void for_each_datagram(const receive_batch::item& item, Use&& use) {
  if (item.segment_size == 0) return use(item.data);  // one, empty
  for (auto rest = item.data; !rest.empty();) {
    const auto size = std::min(item.segment_size, rest.size());
    use(rest.first(size));
    rest = rest.subspan(size);
  }
}

// An ICMP error that came back for a datagram sent to `destination`.
struct socket_error {
  endpoint destination;
  int error_number;
};

// Takes one off the error queue; nullopt: empty. Errors that say nothing about the destination, an
// exceeded hop limit above all, are taken and reported with error_number 0.
[[nodiscard]] std::optional<socket_error> take_socket_error(int descriptor) noexcept;

}  // namespace nat::stun::io
