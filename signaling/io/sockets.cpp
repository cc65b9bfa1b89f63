#include "signaling/io/sockets.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "stun/io/sockaddr.hpp"

namespace nat::signaling::io {

namespace {

// What the kernel takes beyond what it can send at once: more would only grow old there, and hide
// for how long a slow client makes headway.
constexpr int max_unsent_in_kernel = 128 << 10;

const char* option_of(purpose what) {
  switch (what) {
    case purpose::websocket:
      return "--listen";
    case purpose::stun:
    case purpose::stun_stream:
      return "--stun";
    case purpose::admin:
      return "--admin";
  }
  return "";
}

[[noreturn]] void fail(const endpoint& where, purpose what, int error) {
  const bool stun = what == purpose::stun || what == purpose::stun_stream;
  const auto place = to_string(where) + (what == purpose::stun          ? "/udp"
                                         : what == purpose::stun_stream ? "/tcp"
                                                                        : "");
  const auto option = std::string(option_of(what));
  startup_error out;
  out.unsupported_family = error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
  if (error == EADDRINUSE) {
    out.message = place + " is taken by another program: choose another port with " + option;
    if (stun) out.message += ", or --no-stun";
  } else if (error == EACCES) {
    out.message = place + " needs more rights: choose a port above 1023 with " + option;
  } else if (error == EADDRNOTAVAIL) {
    out.message = place + " is not an address of this machine: choose another with " + option;
  } else {
    out.message = "failed to listen on " + place + ": " + std::strerror(error);
  }
  throw out;
}

void enable(int descriptor, int level, int option) {
  const int on = 1;
  ::setsockopt(descriptor, level, option, &on, sizeof on);
}

socket_handle bound(const endpoint& where, int type, purpose what, bool share) {
  socket_handle out(
      ::socket(where.ip.v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!out) fail(where, what, errno);
  if (!where.ip.v4) enable(out.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (type == SOCK_STREAM) enable(out.get(), SOL_SOCKET, SO_REUSEADDR);
  if (share) enable(out.get(), SOL_SOCKET, SO_REUSEPORT);
  const auto name = stun::io::to_socket_address(where);
  if (::bind(out.get(), &name.any, name.size) != 0) {
    fail(where, what, errno);
  }
  return out;
}

}  // namespace

void socket_handle::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

endpoint local_endpoint(int descriptor) noexcept {
  sockaddr_in6 name{};
  socklen_t size = sizeof name;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size);
  return stun::io::from_socket_address(reinterpret_cast<const sockaddr&>(name));
}

socket_handle listen_on(const endpoint& where, purpose what, bool first) {
  // A bind without SO_REUSEPORT fails if any other socket has the port; SO_REUSEADDR alone lets two
  // bind but not two listen, so the probe listens as well.
  if (first && where.port != 0) {
    const auto probe = bound(where, SOCK_STREAM, what, false);
    if (::listen(probe.get(), 1) != 0) fail(where, what, errno);
  }
  auto out = bound(where, SOCK_STREAM, what, what != purpose::admin);
  // Accepted sockets inherit these, which saves each of them three system calls.
  if (what != purpose::admin) {
    enable(out.get(), IPPROTO_TCP, TCP_NODELAY);
    ::setsockopt(out.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max_unsent_in_kernel,
                 sizeof max_unsent_in_kernel);
    set_reset_on_close(out.get(), true);
  }
  if (::listen(out.get(), SOMAXCONN) != 0) fail(where, what, errno);
  return out;
}

endpoint require_free_udp_port(const endpoint& where) {
  return local_endpoint(bound(where, SOCK_DGRAM, purpose::stun, false).get());
}

void set_reset_on_close(int descriptor, bool reset) noexcept {
  const linger how{.l_onoff = reset ? 1 : 0, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &how, sizeof how);
}

sending send_some(int descriptor, std::string& out, std::size_t& sent) {
  while (sent < out.size()) {
    const auto n = ::send(descriptor, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) return sending::failed;
    sent += static_cast<std::size_t>(n);
  }
  const auto left = out.size() - sent;
  if (left == 0) {
    sent = 0;
    return sending::done;
  }
  if (sent > left) out.erase(0, std::exchange(sent, 0));
  return sending::blocked;
}

}  // namespace nat::signaling::io
