#include "tests/signaling/io/hostile_redis.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <vector>

#include "stun/io/sockaddr.hpp"
#include "tests/check.hpp"

namespace nat::test {

using signaling::io::socket_handle;

namespace {

struct visitor {
  socket_handle socket;
  std::size_t said = 0;  // octets of the round that is under way
};

// False once the connection is over.
bool serve(visitor& v, short events, const std::string& for_ever) {
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    char ignored[65'536];
    if (::recv(v.socket.get(), ignored, sizeof ignored, MSG_DONTWAIT) <= 0) return false;
  }
  if ((events & POLLOUT) == 0) return true;
  const auto n = ::send(v.socket.get(), for_ever.data() + v.said, for_ever.size() - v.said,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) v.said = (v.said + static_cast<std::size_t>(n)) % for_ever.size();
  return n > 0;
}

}  // namespace

hostile_redis::hostile_redis(const endpoint& where, hostile_answer answer)
    : answer_(std::move(answer)),
      listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  const int on = 1;
  ::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto at = stun::io::to_socket_address(where);
  REQUIRE(::bind(listening_.get(), &at.any, at.size) == 0);
  REQUIRE(::listen(listening_.get(), 16) == 0);
  thread_ = std::thread([this] { run(); });
}

hostile_redis::~hostile_redis() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void hostile_redis::run() {
  std::vector<visitor> visitors;
  const short wanted = answer_.for_ever.empty() ? POLLIN : POLLIN | POLLOUT;
  for (;;) {
    std::vector<pollfd> watched{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                {.fd = listening_.get(), .events = POLLIN, .revents = 0}};
    for (const auto& v : visitors) {
      watched.push_back({.fd = v.socket.get(), .events = wanted, .revents = 0});
    }
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) return;
    std::vector<visitor> stay;
    for (std::size_t i = 0; i < visitors.size(); ++i) {
      if (serve(visitors[i], watched[i + 2].revents, answer_.for_ever)) {
        stay.push_back(std::move(visitors[i]));
      }
    }
    visitors = std::move(stay);
    if (watched[1].revents == 0) continue;
    socket_handle fresh(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fresh) continue;
    ++connections_;
    ::send(fresh.get(), answer_.first.data(), answer_.first.size(), MSG_NOSIGNAL);
    if (!answer_.hang_up) visitors.push_back({std::move(fresh)});
  }
}

}  // namespace nat::test
