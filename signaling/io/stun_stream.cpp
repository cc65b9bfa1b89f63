#include "signaling/io/stun_stream.hpp"

#include <algorithm>

#include "stun/message.hpp"

namespace nat::signaling::io {

namespace {

constexpr int max_reads = 4;            // for one client, before others get their turn
constexpr std::byte tls_handshake{22};  // RFC 8446, B.1
constexpr std::size_t size_field_end = 4;

}  // namespace

stun_streams::stream::stream(stun_streams& owner, byte_stream octets, const path& from,
                             const std::optional<address>& client)
    : owner_(owner),
      wire_(std::move(octets)),
      kept_(owner.in_.memory),
      path_(from),
      client_(client),
      heard_at_(owner.in_.now),
      bucket_(owner.full_bucket()) {}

bool stun_streams::stream::watch() {
  return owner_.in_.poll.add(wire_.descriptor(), events_, *this);
}

void stun_streams::stream::start(byte_view first) {
  if (!first.empty() && !(begin(first) && take(first))) return fail();
  if (!first.empty()) take_all();  // TLS may hold more
  if (!dead_) account();
}

void stun_streams::stream::handle_ready(std::uint32_t events) {
  if (dead_) return;
  if (events & EPOLLOUT) flush();
  if (!dead_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read_all();
  if (!dead_) account();
}

void stun_streams::stream::account() {
  kept_.set(wire_.kept() + partial_.size());
}

void stun_streams::stream::read_all() {
  // It may be a handshake: as byte_stream does with those that are known.
  if (!begun_ && !wire_.secured() && owner_.tls_ && owner_.in_.work.handshakes_left <= 0) return;
  for (int i = 0; i < max_reads && !dead_ && wire_.waiting() <= max_waiting; ++i) {
    const auto got = wire_.receive(owner_.in_.work);
    if (got.ended) return close();
    if (got.size == 0) return;
    take_all();
    if (!got.more) return;
  }
}

void stun_streams::stream::take_all() {
  while (!dead_) {
    const auto octets = wire_.next(owner_.in_.work);
    if (octets.empty()) break;
    if (!begun_ && !wire_.secured() && owner_.tls_ && octets[0] == tls_handshake) {
      wire_.secure(*owner_.tls_, octets);
    } else if (!(begin(octets) && take(octets))) {
      return fail();
    }
  }
  if (dead_) return;
  if (wire_.tls_ended()) return fail();
  if (wire_.waiting() > 0) mark_dirty();
}

// No allocation, so no channel yet: what does not start as STUN is something else.
bool stun_streams::stream::begin(byte_view octets) {
  begun_ = begun_ || starts_stun(octets);
  return begun_;
}

// False: the stream is broken.
bool stun_streams::stream::take(byte_view octets) {
  while (!octets.empty()) {
    if (!partial_.empty()) {
      if (!complete(octets)) return false;
      continue;
    }
    const auto size = octets.size() < size_field_end ? size_field_end : size_of(octets);
    if (!size) return false;
    if (*size > octets.size() || octets.size() < size_field_end) {
      partial_ = as_text(octets);
      midway_since_ = owner_.in_.now;
      break;
    }
    if (!handle(octets.first(*size))) return false;
    octets = octets.subspan(*size);
  }
  owner_.in_.stun.flush();  // before the octets change
  return true;
}

// Adds to the message that is not whole what it lacks, and no more.
bool stun_streams::stream::complete(byte_view& octets) {
  const auto add = [&](std::size_t up_to) {
    const auto more = octets.first(std::min(octets.size(), up_to - partial_.size()));
    partial_ += as_text(more);
    octets = octets.subspan(more.size());
    return partial_.size() == up_to;
  };
  if (partial_.size() < size_field_end && !add(size_field_end)) return true;
  const auto size = size_of(as_bytes(partial_));
  if (!size) return false;
  if (partial_.size() < *size && !add(*size)) return true;
  if (!handle(as_bytes(partial_))) return false;
  owner_.in_.stun.flush();
  std::string().swap(partial_);
  return true;
}

std::optional<std::size_t> stun_streams::stream::size_of(byte_view front) const {
  const auto size = stun::stream_message_size(front.first(size_field_end));
  if (!size || *size <= max_message_unallocated) return size;
  return owner_.in_.stun.has_allocation(path_) ? size : std::nullopt;
}

// False: it is to end.
bool stun_streams::stream::handle(byte_view message) {
  if (!within_rate()) {
    ++owner_.flooded_;
    return false;
  }
  if (!owner_.in_.stun.handle_stream_message(path_, message)) return true;
  settled_ = true;
  heard_at_ = owner_.in_.now;
  return true;
}

// A request that is left out would be missed for ever over TCP, so who asks too much is cut off
// instead. Who has an allocation is known, and is looked for only once the bucket is empty: not for
// each message that is relayed.
bool stun_streams::stream::within_rate() {
  if (owner_.in_.limits.messages_per_second <= 0 || bucket_.take(owner_.in_.now) >= 0) return true;
  if (!owner_.in_.stun.has_allocation(path_)) return false;
  bucket_ = owner_.full_bucket();
  return true;
}

bool stun_streams::stream::queue(byte_view head, byte_view body, std::size_t padding,
                                 std::size_t most) {
  if (dead_ || wire_.waiting() > most) return false;
  auto& out = wire_.out();
  owner_.in_.work.lend(out);
  out += as_text(head);
  out += as_text(body);
  out.append(padding, '\0');
  mark_dirty();
  return true;
}

void stun_streams::stream::mark_dirty() {
  if (std::exchange(dirty_, true)) return;
  owner_.dirty_.push_back(this);
}

void stun_streams::stream::flush() {
  dirty_ = false;
  if (dead_) return;
  const auto result = wire_.flush(owner_.in_.work);
  if (result == byte_stream::sending::failed) return close();
  const bool blocked = result == byte_stream::sending::blocked;
  const bool listens = wire_.waiting() <= max_waiting;
  wait_for((listens ? EPOLLIN : 0U) | (blocked ? EPOLLOUT : 0U));
  account();
}

void stun_streams::stream::wait_for(std::uint32_t events) {
  if (events == events_) return;
  events_ = events;
  owner_.in_.poll.modify(wire_.descriptor(), events_, *this);
}

// An alert, if TLS has one to send, goes out before the end.
void stun_streams::stream::fail() {
  if (dead_) return;
  wire_.end();
  (void)wire_.flush(owner_.in_.work);
  close();
}

void stun_streams::stream::close() {
  if (std::exchange(dead_, true)) return;
  wire_.close();
  owner_.bury(*this);
}

}  // namespace nat::signaling::io
