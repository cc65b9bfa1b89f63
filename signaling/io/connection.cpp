#include "signaling/io/connection.hpp"

#include <algorithm>

#include "signaling/io/event_loop.hpp"
#include "signaling/io/upgrade.hpp"

namespace nat::signaling::io {

namespace {

// A client that still talks this long after it was told goodbye is cut off.
constexpr std::size_t max_thrown_away = 1U << 20;
// Reads for one client before others get their turn.
constexpr int max_reads = 4;
// Pings that come while this much waits are answered by the pongs already in the queue.
constexpr std::size_t max_backlog_for_pong = 16'384;
// What one batch may gather for a client before the kernel is offered it: a client is only as slow
// as the kernel says, not as the batch is long.
constexpr std::size_t much = 65'536;

}  // namespace

connection::connection(event_loop& loop, const listener& by, byte_stream octets,
                       const endpoint& remote, std::uint32_t index, time_point accepted_at)
    : loop_(loop),
      index_(index),
      events_(EPOLLIN),
      kept_(loop.memory()),
      wire_(std::move(octets)),
      decoder_(loop.max_message()),
      by_(by),
      remote_(remote),
      client_(loop.client_at(remote.ip)),
      accepted_at_(accepted_at) {}

bool connection::watch() {
  return loop_.poll().add(wire_.descriptor(), events_, *this);
}

void connection::handle_ready(std::uint32_t events) {
  if (phase_ == phase::dead) return;
  if (events & EPOLLOUT) loop_.flush_early(*this);
  if (phase_ != phase::dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read_all();
  if (phase_ != phase::dead) account();
}

void connection::account() {
  kept_.set(wire_.kept() + decoder_.kept() + head_.size());
}

void connection::read_all() {
  for (int i = 0; i < max_reads && phase_ != phase::dead; ++i) {
    const auto got = wire_.receive(loop_.work());
    if (got.ended) return abort();  // gone; a WebSocket says goodbye before
    if (got.size == 0) return;
    if (phase_ == phase::closing) {
      thrown_away_ += got.size;
      if (thrown_away_ > max_thrown_away) abort();
    } else {
      take_all();
    }
    if (!got.more) return;
  }
}

void connection::take_all() {
  while (phase_ == phase::upgrading || phase_ == phase::open) {
    const auto octets = wire_.next(loop_.work());
    if (octets.empty()) break;
    take(octets);
  }
  if (phase_ == phase::dead) return;
  if (wire_.waiting() > 0) mark_dirty();  // what TLS has to answer
  if (wire_.tls_ended() && phase_ != phase::closing) tls_ended();
}

void connection::tls_ended() {
  const auto why = wire_.tls_failure();
  if (why != tls::failure::none) {
    loop_.log().tls_failed(named(), wire_.tls_detail());
  }
  if (why == tls::failure::http) {
    wire_.give_up_tls();
    return reject(http_response(400, "This port speaks TLS: connect to wss:// or https://.\n"));
  }
  lose();
}

// The client can't be talked to; what the kernel still has for it goes out.
void connection::lose() {
  if (slot_ != no_slot) loop_.closed(*this, hub::ending::unclean);
  slot_ = no_slot;
  mark_dirty();
  start_closing();
  loop_.carry_out();
}

void connection::take(byte_span octets) {
  if (phase_ == phase::upgrading) {
    // One port serves wss and turns.
    if (head_.empty() && wire_.secured() && loop_.serves_stun() && starts_stun(octets)) {
      return loop_.hand_over(*this, octets);
    }
    return take_head(octets);
  }
  if (phase_ == phase::open) take_frames(octets);
}

void connection::take_head(byte_span octets) {
  static constexpr std::string_view empty_line = "\r\n\r\n";
  const auto known = head_.size();
  head_ += as_text(octets);
  const auto end = head_.find(empty_line, known < 3 ? 0 : known - 3);
  if (end == head_.npos) {
    if (head_.size() <= max_upgrade_bytes) return;
    return reject(http_response(431, "The request's header is too long.\n"));
  }
  const auto head_size = end + empty_line.size();
  if (head_size > max_upgrade_bytes) {
    return reject(http_response(431, "The request's header is too long.\n"));
  }
  auto answer = answer_upgrade(std::string_view(head_).substr(0, head_size));
  if (!answer.accepted) return reject(std::move(answer.response));
  if (!loop_.allows_origin(answer.origin)) {
    loop_.log().origin_refused(loop_.client_of(*this, answer.forwarded_for), answer.origin);
    return reject(http_response(403, "This origin is not allowed here.\n"));
  }
  if (!client_ && !loop_.identify(*this, answer.forwarded_for)) {
    return reject(http_response(503, "Too many connections.\n"));
  }
  wire_.out() += answer.response;
  mark_dirty();
  phase_ = phase::open;
  std::string().swap(head_);
  slot_ = loop_.open(*this, by_.reached_by(wire_.descriptor()));
  loop_.carry_out();  // it may be the first to find that a new term has begun
  // The empty line was not complete before these octets.
  take(octets.subspan(head_size - known));
}

void connection::reject(std::string response) {
  std::string().swap(head_);
  wire_.out() += response;
  mark_dirty();
  start_closing();
}

void connection::take_frames(byte_span octets) {
  decoder_.feed(octets);
  while (phase_ == phase::open) {
    const auto event = decoder_.next();
    if (!event) return;
    take_event(*event);
  }
}

void connection::take_event(const websocket::event& e) {
  using type = websocket::event::type;
  auto& hub = loop_.exchange();
  const auto now = loop_.now();
  switch (e.what) {
    case type::text:
      hub.handle_text(slot_, e.payload, now);
      break;
    case type::binary:
      hub.handle_binary(slot_, e.payload.size(), now);
      break;
    case type::ping:
      if (wire_.waiting() < max_backlog_for_pong) write_frame(websocket::opcode::pong, e.payload);
      [[fallthrough]];
    case type::pong:
    case type::fragment:
      hub.handle_control(slot_, now);
      break;
    case type::too_large:
      hub.handle_too_large(slot_, now);
      break;
    case type::violation:
      hub.handle_violation(slot_, e.code, e.payload, now);
      break;
    case type::close:
      return peer_closed(e);
  }
  loop_.carry_out();
}

// The client's goodbye is answered with the same code (RFC 6455, 5.5.1).
void connection::peer_closed(const websocket::event& e) {
  websocket::append_close(wire_.out(), e.code, {});
  mark_dirty();
  loop_.closed(*this, hub::ending::clean);
  slot_ = no_slot;
  start_closing();
  loop_.carry_out();
}

void connection::write_frame(websocket::opcode op, std::string_view payload) {
  auto& out = wire_.out();
  loop_.work().lend(out);
  const auto before = out.size();
  websocket::append_frame(out, op, payload);
  unwritten_ += out.size() - before;
  mark_dirty();
}

bool connection::much_unwritten() const noexcept {
  return unwritten_ >= much;
}

void connection::finish(websocket::close_code code, std::string_view reason) {
  websocket::append_close(wire_.out(), code, reason);
  mark_dirty();
  slot_ = no_slot;
  start_closing();
}

void connection::start_closing() {
  phase_ = phase::closing;
  decoder_ = websocket::decoder(0);  // nothing of it is wanted any more
  wire_.end();
  loop_.expect_end(*this);
}

void connection::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  loop_.flush_later(*this);
}

void connection::flush() {
  dirty_ = false;
  if (phase_ == phase::dead) return;
  unwritten_ = 0;
  const auto before = wire_.waiting();
  const auto result = wire_.flush(loop_.work());
  if (result == byte_stream::sending::failed) return abort();
  if (slot_ != no_slot) {
    const auto waiting = wire_.waiting();  // TLS adds a little to what was written since
    loop_.exchange().handle_written(slot_, before - std::min(before, waiting), waiting);
  }
  wait_for(result == byte_stream::sending::blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
  account();
}

void connection::wait_for(std::uint32_t events) {
  if (events == events_) return;
  events_ = events;
  loop_.poll().modify(wire_.descriptor(), events_, *this);
}

byte_stream connection::give_up() {
  phase_ = phase::dead;
  loop_.poll().remove(wire_.descriptor());
  return std::move(wire_);
}

void connection::abort() {
  if (phase_ == phase::dead) return;
  if (slot_ != no_slot) loop_.closed(*this, hub::ending::unclean);
  slot_ = no_slot;
  phase_ = phase::dead;
  wire_.close();  // which ends the watching too
  loop_.bury(*this);
}

}  // namespace nat::signaling::io
