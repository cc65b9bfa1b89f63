// Accepting connections (event_loop.hpp).

#include <fcntl.h>
#include <netinet/in.h>

#include <cerrno>

#include "signaling/io/event_loop.hpp"
#include "signaling/io/upgrade.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::signaling::io {

namespace {

constexpr int max_accepts = 64;  // in one go, before connected clients get their turn

// Best effort: the answer fits the empty socket buffer or is lost.
void turn_away(int descriptor) {
  const auto text = http_response(503, "Too many connections.\n");
  (void)!::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
  set_reset_on_close(descriptor, false);
}

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

listener::listener(event_loop& loop, socket_handle socket, purpose what)
    : loop_(loop),
      socket_(std::move(socket)),
      reserve_(open_reserve()),
      where_(local_endpoint(socket_.get()).ip),
      purpose_(what) {
  if (!loop_.poll().add(socket_.get(), EPOLLIN, *this)) {
    throw startup_error{"failed to watch a listening socket: raise fs.epoll.max_user_watches"};
  }
}

address listener::reached_by(int descriptor) const {
  return is_unspecified(where_) ? local_endpoint(descriptor).ip : where_;
}

void listener::close() {
  if (!socket_) return;
  loop_.poll().remove(socket_.get());
  socket_.close();
}

void listener::handle_ready(std::uint32_t) {
  for (int i = 0; i < max_accepts && socket_; ++i) {
    sockaddr_in6 from{};
    socklen_t size = sizeof from;
    socket_handle client(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) {
      const int why = errno;
      if (why == EMFILE || why == ENFILE) out_of_descriptors();
      if (why == ENOBUFS || why == ENOMEM) rest();
      return;
    }
    const auto remote = stun::io::from_socket_address(reinterpret_cast<const sockaddr&>(from));
    if (!loop_.admit(remote.ip)) {
      if (purpose_ == purpose::websocket && !loop_.speaks_tls()) turn_away(client.get());
      continue;
    }
    loop_.accepted(std::move(client), remote, *this);
  }
}

// A connection that can't be accepted would make the listening socket ready for ever: the
// descriptor held in reserve takes it and drops it. Where another thread was quicker to take that
// descriptor, the socket is not looked at for a while.
void listener::out_of_descriptors() {
  loop_.out_of_descriptors();
  reserve_.close();
  socket_handle dropped(::accept(socket_.get(), nullptr, nullptr));
  dropped.close();
  reserve_ = socket_handle(open_reserve());
  if (!reserve_) rest();
}

// Its socket stays ready, and asking again at once would be all that the loop does.
void listener::rest() {
  resting_ = true;
  loop_.poll().modify(socket_.get(), 0, *this);
}

void listener::wake() {
  if (!resting_ || !socket_) return;
  if (!reserve_) reserve_ = socket_handle(open_reserve());
  resting_ = false;
  loop_.poll().modify(socket_.get(), EPOLLIN, *this);
}

}  // namespace nat::signaling::io
