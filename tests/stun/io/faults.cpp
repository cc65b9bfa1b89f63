// The socket calls of this program, found by the linker before the C library's.

#include "tests/stun/io/faults.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "stun/io/sockaddr.hpp"

namespace nat::test {
namespace {

bool wants_segmentation(const msghdr& header) {
  auto copy = header;
  for (auto* c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c)) {
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) return true;
  }
  return false;
}

// The errno that this call is to fail with, or 0.
int verdict(const msghdr& header) {
  auto& plan = injected();
  ++plan.calls;
  if (!plan.sends.empty()) {
    const auto error = plan.sends.front();
    plan.sends.pop_front();
    return error;
  }
  return plan.judge ? plan.judge(header.msg_iov[0].iov_len, wants_segmentation(header)) : 0;
}

ssize_t fake_error(msghdr* header, const fake_socket_error& error) {
  const auto name = stun::io::to_socket_address(error.destination);
  std::memcpy(header->msg_name, &name.any, name.size);
  header->msg_namelen = name.size;
  sock_extended_err what{};
  what.ee_errno = static_cast<std::uint32_t>(error.error_number);
  what.ee_origin = static_cast<std::uint8_t>(error.origin);
  what.ee_type = static_cast<std::uint8_t>(error.type);
  auto* c = static_cast<cmsghdr*>(header->msg_control);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_RECVERR;
  c->cmsg_len = CMSG_LEN(sizeof what);
  std::memcpy(CMSG_DATA(c), &what, sizeof what);
  header->msg_controllen = CMSG_SPACE(sizeof what);
  return 0;
}

}  // namespace

faults& injected() {
  static faults plan;
  return plan;
}

}  // namespace nat::test

extern "C" {

int sendmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags) {
  if (const auto error = nat::test::verdict(messages[0].msg_hdr)) {
    errno = error;
    return -1;
  }
  const auto most = std::min<std::size_t>(count, nat::test::injected().most_messages);
  return static_cast<int>(syscall(SYS_sendmmsg, descriptor, messages, most, flags));
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  if (message->msg_name != nullptr) {
    if (const auto error = nat::test::verdict(*message)) {
      errno = error;
      return -1;
    }
  }
  return syscall(SYS_sendmsg, descriptor, message, flags);
}

ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
  auto& queue = nat::test::injected().error_queue;
  if ((flags & MSG_ERRQUEUE) == 0 || !queue) {
    return syscall(SYS_recvmsg, descriptor, message, flags);
  }
  if (queue->empty()) {
    errno = EAGAIN;
    return -1;
  }
  const auto error = queue->front();
  queue->pop_front();
  return nat::test::fake_error(message, error);
}
}
