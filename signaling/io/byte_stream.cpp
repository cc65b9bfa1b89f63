#include "signaling/io/byte_stream.hpp"

#include <cerrno>
#include <utility>

namespace nat::signaling::io {

void byte_stream::secure(const tls::server_context& context, byte_view already_read) {
  tls_ = std::make_unique<tls_part>(context);
  if (!already_read.empty()) tls_->session.feed(already_read);
}

bool byte_stream::handshaking() const noexcept {
  return tls_ && !ending_ && tls_->session.state() == tls::state::handshaking;
}

byte_stream::reading byte_stream::receive(workspace& w) {
  w.unread = {};
  if (handshaking() && w.handshakes_left <= 0) return {};
  const auto n = ::recv(socket_.get(), w.read.data(), w.read.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {};
  if (n <= 0) return {.ended = true};
  const auto size = static_cast<std::size_t>(n);
  const auto octets = byte_span(w.read).first(size);
  if (ending_) {  // nobody asks for it any more
  } else if (tls_) {
    tls_->session.feed(octets);
  } else {
    w.unread = octets;
  }
  return {.size = size, .more = size == w.read.size()};
}

byte_span byte_stream::next(workspace& w) {
  if (!tls_) return std::exchange(w.unread, {});
  const auto before = tls_->session.state();
  const auto answered = tls_->out.size();
  const auto plain = tls_->session.read(w.plain, tls_->out);
  if (before == tls::state::handshaking && tls_->out.size() > answered) --w.handshakes_left;
  const auto after = tls_->session.state();
  if (after == before) return plain;
  if (after == tls::state::failed) {
    ++w.tls_counted.failed;
  } else if (before == tls::state::handshaking) {
    ++w.tls_counted.handshakes;
    if (tls_->session.resumed()) ++w.tls_counted.resumed;
  }
  return plain;
}

bool byte_stream::tls_ended() const noexcept {
  if (!tls_) return false;
  const auto state = tls_->session.state();
  return state == tls::state::closed || state == tls::state::failed;
}

tls::failure byte_stream::tls_failure() const noexcept {
  return tls_ ? tls_->session.why() : tls::failure::none;
}

std::string byte_stream::tls_detail() const {
  return tls_ ? tls_->session.detail() : std::string();
}

// What waits in the clear becomes records. False: TLS takes no more.
bool byte_stream::seal(workspace& w) {
  if (tls_ended()) {
    out_.clear();  // nobody could read it
  } else if (!out_.empty()) {
    w.lend(tls_->out);
    if (!tls_->session.write(as_bytes(out_), tls_->out)) return false;
    w.take_back(out_);
  }
  if (ending_ && !shut_) tls_->session.close(tls_->out);
  return true;
}

byte_stream::sending byte_stream::flush(workspace& w) {
  if (tls_ && !seal(w)) return sending::failed;
  auto& out = tls_ ? tls_->out : out_;
  if (const auto how = send_some(socket_.get(), out, sent_); how != sending::done) return how;
  w.take_back(out);
  if (ending_ && !std::exchange(shut_, true)) ::shutdown(socket_.get(), SHUT_WR);
  return sending::done;
}

std::size_t byte_stream::waiting() const noexcept {
  return out_.size() + (tls_ ? tls_->out.size() : 0) - sent_;
}

std::size_t byte_stream::kept() const noexcept {
  return waiting() + (tls_ ? tls_->session.held() : 0);
}

void byte_stream::close() noexcept {
  if (shut_) set_reset_on_close(socket_.get(), false);
  socket_.close();
}

}  // namespace nat::signaling::io
