#include "tests/bench/load/datagrams.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <netinet/udp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stun/io/sockaddr.hpp"

namespace nat::bench {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::system_category(), what);
  return result;
}

}  // namespace

udp::udp(const endpoint& local, int buffer)
    : descriptor_(checked(
          socket(local.ip.v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
          "make a socket")) {
  if (buffer > 0) {
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  }
  const auto at = stun::io::to_socket_address(local);
  checked(bind(descriptor_, &at.any, at.size), "bind a socket");
}

udp::~udp() {
  if (descriptor_ >= 0) close(descriptor_);
}

udp::udp(udp&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

void udp::connect(const endpoint& remote) {
  const auto to = stun::io::to_socket_address(remote);
  checked(::connect(descriptor_, &to.any, to.size), "connect a socket");
}

endpoint udp::local() const {
  stun::io::socket_address at{};
  at.size = sizeof at.v6;
  checked(getsockname(descriptor_, &at.any, &at.size), "name a socket");
  return stun::io::from_socket_address(at.any);
}

batch::batch(bool segmented)
    : segmented_(segmented), octets_(std::make_unique<std::array<datagram, capacity>>()) {
  for (std::size_t i = 0; i < capacity; ++i) {
    spans_[i] = {(*octets_)[i].data(), max_size};
    headers_[i].msg_hdr.msg_iov = &spans_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

std::size_t batch::receive(const udp& from) {
  for (std::size_t i = 0; i < capacity; ++i) {
    spans_[i].iov_len = max_size;
    headers_[i].msg_hdr.msg_name = &sources_[i];
    headers_[i].msg_hdr.msg_namelen = sizeof sources_[i];
  }
  const int got = recvmmsg(from.descriptor(), headers_.data(), capacity, 0, nullptr);
  used_ = static_cast<std::size_t>(std::max(got, 0));
  return used_;
}

byte_view batch::operator[](std::size_t i) const {
  return byte_view((*octets_)[i]).first(headers_[i].msg_len);
}

byte_span batch::add(std::size_t size) {
  spans_[used_].iov_len = size;
  headers_[used_].msg_hdr.msg_name = nullptr;
  headers_[used_].msg_hdr.msg_namelen = 0;
  return byte_span((*octets_)[used_++]).first(size);
}

bool batch::alike() const {
  return std::ranges::all_of(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(used_),
                             [this](const iovec& s) { return s.iov_len == spans_[0].iov_len; });
}

std::size_t batch::send_segmented(const udp& by) {
  constexpr std::size_t most_octets = 65'000;  // of one send, less room for headers
  const auto size = spans_[0].iov_len;
  const auto at_once = std::min(capacity, most_octets / size);
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* segment = CMSG_FIRSTHDR(&message);
  segment->cmsg_level = SOL_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto segment_size = static_cast<std::uint16_t>(size);
  std::memcpy(CMSG_DATA(segment), &segment_size, sizeof segment_size);
  std::size_t sent = 0;
  while (sent < used_) {
    message.msg_iov = &spans_[sent];
    message.msg_iovlen = std::min(at_once, used_ - sent);
    if (sendmsg(by.descriptor(), &message, 0) < 0) break;
    sent += message.msg_iovlen;
  }
  used_ = 0;
  return sent;
}

std::size_t batch::send(const udp& by) {
  if (segmented_ && used_ > 1 && alike()) return send_segmented(by);
  std::size_t sent = 0;
  while (sent < used_) {
    const int took =
        sendmmsg(by.descriptor(), &headers_[sent], static_cast<unsigned>(used_ - sent), 0);
    if (took <= 0) break;
    sent += static_cast<std::size_t>(took);
  }
  used_ = 0;
  return sent;
}

std::size_t batch::send_back(const udp& by) {
  for (std::size_t i = 0; i < used_; ++i) spans_[i].iov_len = headers_[i].msg_len;
  return send(by);
}

readiness::readiness() : descriptor_(checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll")) {}

readiness::~readiness() {
  close(descriptor_);
}

void readiness::add(const udp& socket, std::uint64_t number) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number;
  checked(epoll_ctl(descriptor_, EPOLL_CTL_ADD, socket.descriptor(), &event), "watch a socket");
}

std::size_t readiness::collect(int timeout_ms) {
  std::array<epoll_event, 256> events;
  const int count =
      epoll_wait(descriptor_, events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0 && errno != EINTR) checked(count, "wait for sockets");
  const auto ready = static_cast<std::size_t>(std::max(count, 0));
  for (std::size_t i = 0; i < ready; ++i) numbers_[i] = events[i].data.u64;
  return ready;
}

}  // namespace nat::bench
