#include "stun/io/receive_batch.hpp"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nat::stun::io {
namespace {

template <class T>
T payload(const cmsghdr& header) noexcept {
  T out;
  std::memcpy(&out, CMSG_DATA(&header), sizeof out);
  return out;
}

bool is(const cmsghdr& header, int level, int type) noexcept {
  return header.cmsg_level == level && header.cmsg_type == type;
}

// An opener is meant to die on its way; that says nothing about the path.
bool is_time_exceeded(const sock_extended_err& error) noexcept {
  return (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == ICMP_TIME_EXCEEDED) ||
         (error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == ICMP6_TIME_EXCEEDED);
}

bool is_icmp(const sock_extended_err& error) noexcept {
  return error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
}

}  // namespace

receive_batch& receive_batch::mine() {
  static thread_local receive_batch batch;
  return batch;
}

// Not filled with anything: untouched pages cost no memory.
receive_batch::receive_batch()
    : storage_(std::make_unique_for_overwrite<std::byte[]>(capacity * buffer_size)),
      slots_{},
      headers_{} {
  for (std::size_t i = 0; i < capacity; ++i) {
    slots_[i].buffer = {storage_.get() + i * buffer_size, buffer_size};
    auto& header = headers_[i].msg_hdr;
    header.msg_name = &slots_[i].from;
    header.msg_iov = &slots_[i].buffer;
    header.msg_iovlen = 1;
    header.msg_control = slots_[i].control.data();
  }
}

int receive_batch::receive(int descriptor) noexcept {
  for (std::size_t i = 0; i < capacity; ++i) {
    headers_[i].msg_hdr.msg_namelen = sizeof slots_[i].from;
    headers_[i].msg_hdr.msg_controllen = slots_[i].control.size();
  }
  int count = 0;
  do {
    count = recvmmsg(descriptor, headers_.data(), capacity, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

receive_batch::item receive_batch::at(std::size_t index) const noexcept {
  const auto& header = headers_[index].msg_hdr;
  const std::size_t size = headers_[index].msg_len;
  item out{.from = from_socket_address(*static_cast<const sockaddr*>(header.msg_name)),
           .destination = {},
           .data = byte_view(storage_.get() + index * buffer_size, size),
           .segment_size = size,
           .truncated = (header.msg_flags & MSG_TRUNC) != 0};
  auto mutable_header = header;  // CMSG_NXTHDR wants it so
  for (auto* c = CMSG_FIRSTHDR(&mutable_header); c; c = CMSG_NXTHDR(&mutable_header, c)) {
    if (is(*c, IPPROTO_IP, IP_PKTINFO)) {
      out.destination = from_in_addr(payload<in_pktinfo>(*c).ipi_spec_dst);
    } else if (is(*c, IPPROTO_IPV6, IPV6_PKTINFO)) {
      out.destination = from_in6_addr(payload<in6_pktinfo>(*c).ipi6_addr);
    } else if (is(*c, SOL_UDP, UDP_GRO)) {
      const auto segment = payload<int>(*c);
      if (segment > 0) out.segment_size = std::min(size, static_cast<std::size_t>(segment));
    }
  }
  return out;
}

std::optional<socket_error> take_socket_error(int descriptor) noexcept {
  sockaddr_in6 destination{};
  std::array<std::byte, 64> start_of_datagram;
  alignas(cmsghdr) std::array<std::byte, 512> control;
  iovec buffer{start_of_datagram.data(), start_of_datagram.size()};
  msghdr header{};
  header.msg_name = &destination;
  header.msg_namelen = sizeof destination;
  header.msg_iov = &buffer;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return std::nullopt;
  socket_error out{from_socket_address(reinterpret_cast<const sockaddr&>(destination)), 0};
  for (auto* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
    if (!is(*c, IPPROTO_IP, IP_RECVERR) && !is(*c, IPPROTO_IPV6, IPV6_RECVERR)) continue;
    const auto error = payload<sock_extended_err>(*c);
    if (is_icmp(error) && !is_time_exceeded(error)) {
      out.error_number = static_cast<int>(error.ee_errno);
    }
  }
  return out;
}

}  // namespace nat::stun::io
