#include "stun/io/ancillary.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

#include "stun/io/sockaddr.hpp"

namespace nat::stun::io {

static_assert(sizeof(in6_pktinfo) == 20 && sizeof(in_pktinfo) <= 20 && sizeof(int) == 4);

template <class T>
void ancillary::put(int level, int type, const T& value) noexcept {
  cmsghdr header{};
  header.cmsg_level = level;
  header.cmsg_type = type;
  header.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(octets_.data() + used_, &header, sizeof header);
  std::memcpy(octets_.data() + used_ + CMSG_LEN(0), &value, sizeof value);
  used_ += CMSG_SPACE(sizeof value);
}

void ancillary::fill(msghdr& header, bool v4, std::uint16_t segment_size,
                     std::optional<std::uint8_t> hop_limit,
                     const std::optional<address>& source) noexcept {
  used_ = 0;
  if (segment_size != 0) put(SOL_UDP, UDP_SEGMENT, segment_size);
  if (hop_limit) {
    put(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, int{*hop_limit});
  }
  if (source && source->v4 == v4) {
    if (v4) {
      in_pktinfo info{};
      info.ipi_spec_dst = to_in_addr(*source);
      put(IPPROTO_IP, IP_PKTINFO, info);
    } else {
      in6_pktinfo info{};
      info.ipi6_addr = to_in6_addr(*source);
      put(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
  }
  if (used_ == 0) return;
  header.msg_control = octets_.data();
  header.msg_controllen = used_;
}

}  // namespace nat::stun::io
