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

redis_line::redis_line(poller& p, const tls::client_context* context, line_events events)
    : poller_(p), context_(context), events_(std::move(events)) {}

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
  if (context_ != nullptr) tls_.emplace(*context_);
  watch(EPOLLIN | EPOLLOUT);
}

void redis_line::disconnect() {
  if (watched_ != 0) poller_.remove(socket_.get());
  watched_ = 0;
  socket_.close();
  reader_.reset();
  tls_.reset();
  for (auto* text : {&out_, &records_}) std::string().swap(*text);
  sent_ = 0;
  open_ = connected_ = false;
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
  if (open_) write_some();
  tell_of_end();
}

void redis_line::handle_ready(std::uint32_t events) {
  if (!socket_) return;  // it was closed in this batch
  events_.before();
  if (!open_) {
    finish_connecting();
  } else {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
    if (open_ && (events & EPOLLOUT) != 0) write_some();
  }
  tell_of_end();
}

void redis_line::finish_connecting() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return end("Redis can't be reached: " + system_text(error));
  open_ = true;
  if (!tls_) return begin();
  decrypt({});  // which greets
}

void redis_line::begin() {
  connected_ = true;
  events_.connected();
}

void redis_line::read_some() {
  std::array<std::byte, 16'384> buffer;  // hiredis moves what is left for each KiB that it has read
  const auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (n == 0) return end("the connection ended");
  if (n < 0) {
    if (!again(errno)) end("the connection ended: " + system_text(errno));
    return;
  }
  const auto octets = byte_view(buffer).first(static_cast<std::size_t>(n));
  if (tls_) return decrypt(octets);
  (void)take(as_text(octets));
}

void redis_line::decrypt(byte_view octets) {
  std::array<std::byte, tls::max_record> scratch;
  tls_->feed(octets);
  for (;;) {
    const auto plain = tls_->read(scratch, records_);
    if (!connected_ && tls_->state() == tls::state::connected) begin();
    if (plain.empty()) break;
    if (!take(as_text(plain))) return;
  }
  const auto trouble = tls_trouble();
  if (trouble) out_.clear();  // nobody could read it
  write_some();               // what the handshake answers, and the alert
  if (trouble) end(*trouble);
}

std::optional<std::string> redis_line::tls_trouble() const {
  if (tls_->state() == tls::state::closed) return "the connection ended";
  if (tls_->state() != tls::state::failed) return std::nullopt;
  switch (tls_->why()) {
    case tls::failure::http:
    case tls::failure::not_tls:
      return "what answers speaks no TLS: use redis://, or the port where Redis does";
    case tls::failure::certificate:
      return "Redis' certificate is not accepted (" + tls_->detail() +
             "): check the host in --cluster, and --cluster-ca";
    default:
      return "TLS with Redis failed: " + tls_->detail();
  }
}

bool redis_line::take(std::string_view replies) {
  const auto good = reader_->feed(replies, events_.replied);
  if (!good) end("what answers is no Redis: " + good.error());
  return good.has_value();
}

void redis_line::write_some() {
  if (tls_ && !out_.empty()) {
    if (!tls_->write(as_bytes(out_), records_)) return end(tls_trouble().value_or("TLS ended"));
    out_.clear();
  }
  auto& out = tls_ ? records_ : out_;
  const auto how = send_some(socket_.get(), out, sent_);
  if (how == sending::blocked) return watch(EPOLLIN | EPOLLOUT);
  if (how == sending::failed) return end("the connection ended: " + system_text(errno));
  constexpr std::size_t max_spare = 65'536;
  for (auto* text : {&out_, &records_}) {
    if (text->capacity() > max_spare) std::string().swap(*text);
    text->clear();
  }
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
