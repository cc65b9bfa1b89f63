#include "signaling/io/redis_line.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "stun/io/sockaddr.hpp"

namespace nat::signaling::io {

namespace {

std::string system_text(int error) {
  return std::generic_category().message(error);
}

bool again(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

redis_line::redis_line(poller& p, line_events events) : poller_(p), events_(std::move(events)) {}

redis_line::~redis_line() {
  disconnect();
}

void redis_line::watch(std::uint32_t events) {
  if (events == watched_) return;
  if (watched_ != 0) {
    poller_.modify(socket_.get(), events, *this);
  } else if (!poller_.add(socket_.get(), events, *this)) {
    return end("too many descriptors");
  }
  watched_ = events;
}

void redis_line::connect(const endpoint& server) {
  disconnect();
  const auto to = stun::io::to_socket_address(server);
  socket_ = socket_handle(
      ::socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket_) return end("no socket for Redis: " + system_text(errno));
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket_.get(), &to.any, to.size) != 0 && errno != EINPROGRESS) {
    return end("Redis can't be reached: " + system_text(errno));
  }
  reader_.emplace();
  watch(EPOLLIN | EPOLLOUT);
}

void redis_line::disconnect() {
  if (watched_ != 0) poller_.remove(socket_.get());
  watched_ = 0;
  socket_.close();
  reader_.reset();
  out_ = {};
  written_ = 0;
  connected_ = false;
  ended_.reset();
}

void redis_line::send(const std::vector<std::string>& words) {
  if (!connected_) return;
  out_ += '*' + std::to_string(words.size()) + "\r\n";
  for (const auto& word : words) {
    out_ += '$' + std::to_string(word.size()) + "\r\n";
    out_ += word;
    out_ += "\r\n";
  }
}

void redis_line::flush() {
  if (connected_) write_some();
  tell_of_end();
}

void redis_line::handle_ready(std::uint32_t events) {
  if (!socket_) return;  // it was closed in this batch
  events_.before();
  if (!connected_) {
    finish_connecting();
  } else {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
    if (connected_ && (events & EPOLLOUT) != 0) write_some();
  }
  tell_of_end();
}

void redis_line::finish_connecting() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return end("Redis can't be reached: " + system_text(error));
  connected_ = true;
  events_.connected();
}

void redis_line::read_some() {
  std::array<char, 16'384> buffer;  // hiredis moves what is left for each KiB that it has read
  const auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (n == 0) return end("the connection ended");
  if (n < 0) {
    if (!again(errno)) end("the connection ended: " + system_text(errno));
    return;
  }
  const auto good = reader_->feed({buffer.data(), static_cast<std::size_t>(n)}, events_.replied);
  if (!good) end("what answers is no Redis: " + good.error());
}

void redis_line::write_some() {
  while (written_ < out_.size()) {
    const auto n =
        ::send(socket_.get(), out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (n < 0) {
      if (again(errno)) return watch(EPOLLIN | EPOLLOUT);
      return end("the connection ended: " + system_text(errno));
    }
    written_ += static_cast<std::size_t>(n);
  }
  constexpr std::size_t kept = 65'536;
  if (out_.capacity() > kept) out_ = {};
  out_.clear();
  written_ = 0;
  watch(EPOLLIN);
}

void redis_line::end(std::string why) {
  disconnect();
  ended_ = std::move(why);
}

void redis_line::tell_of_end() {
  if (const auto why = std::exchange(ended_, std::nullopt)) events_.disconnected(*why);
}

}  // namespace nat::signaling::io
