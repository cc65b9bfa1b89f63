#pragma once

// What travels beside one datagram to the kernel (sendmsg's control data): the size of its segments
// (UDP_SEGMENT), a hop limit of its own, the address to send from.

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/base/endpoint.hpp"

namespace nat::stun::io {

class ancillary {
 public:
  // Left unwritten until fill(): senders keep arrays of these.
  ancillary() noexcept {}  // NOLINT(modernize-use-equals-default)

  // Points `header`'s control data, which must not have any, at what is asked for; none of it: at
  // nothing. `segment_size` 0: one datagram. `v4`: the destination's family; a source of the other
  // is left out. Lives as long as the header is used.
  void fill(msghdr& header, bool v4, std::uint16_t segment_size,
            std::optional<std::uint8_t> hop_limit, const std::optional<address>& source) noexcept;

 private:
  template <class T>
  void put(int level, int type, const T& value) noexcept;

  std::size_t used_;
  // UDP_SEGMENT, a hop limit and IPV6_PKTINFO.
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(2) + CMSG_SPACE(4) + CMSG_SPACE(20)> octets_;
};

}  // namespace nat::stun::io
