#include "stun/io/send_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "stun/io/ancillary.hpp"

namespace nat::stun::io {
namespace {

constexpr std::size_t batch_size = 64;

bool same(const socket_address& a, const socket_address& b) noexcept {
  return a.size == b.size && std::memcmp(&a.any, &b.any, a.size) == 0;
}

// Errors of earlier datagrams that the kernel reports at the next call (they also stand in the
// error queue): the datagram at hand was not tried.
bool may_be_anothers(int error_number) noexcept {
  return error_number == ECONNREFUSED || error_number == EHOSTUNREACH ||
         error_number == ENETUNREACH || error_number == EPROTO || error_number == ENOPROTOOPT ||
         error_number == EACCES || error_number == EMSGSIZE || error_number == EOPNOTSUPP;
}

void report(std::vector<socket_error>& errors, const socket_error& error) {
  if (errors.size() < send_queue::max_messages) errors.push_back(error);
}

}  // namespace

// One message as sendmsg takes it. Left unwritten until fill(): a flush makes an array of these.
class send_queue::outgoing {
 public:
  outgoing() noexcept {}  // NOLINT(modernize-use-equals-default)

  void fill(msghdr& header, message& from, std::byte* octets) noexcept {
    buffer_ = {octets + from.offset, from.size};
    header = {};
    header.msg_name = &from.to.any;
    header.msg_namelen = from.to.size;
    header.msg_iov = &buffer_;
    header.msg_iovlen = 1;
    beside_.fill(header, from.to.any.sa_family == AF_INET, from.segment_size, from.hop_limit,
                 from.source);
  }

 private:
  iovec buffer_;
  ancillary beside_;
};

std::size_t send_queue::message::datagrams() const noexcept {
  return segment_size == 0 ? 1 : (size + segment_size - 1) / segment_size;
}

bool send_queue::push(const endpoint& to, byte_view data, const options& how) {
  const std::size_t segment = how.segment_size;
  if (segment == 0 || data.size() <= segment) return append(to, data, how);
  make_room();
  const auto most = segmentation_ ? std::min(max_segments, max_message / segment) : 1;
  const auto part = most * segment;
  const auto parts = part == 0 ? 1 : (data.size() + part - 1) / part;
  if (part == 0 || octets_.size() + data.size() > max_octets ||
      messages_.size() - first_ + parts > max_messages) {
    return false;
  }
  for (; !data.empty(); data = data.subspan(std::min(part, data.size()))) {
    if (!append(to, data.first(std::min(part, data.size())), how)) return false;
  }
  return true;
}

bool send_queue::append(const endpoint& to, byte_view data, const options& how) {
  if (merge(to, data, how)) return true;
  make_room();
  if (octets_.size() + data.size() > max_octets || messages_.size() - first_ >= max_messages) {
    return false;
  }
  const bool several = how.segment_size != 0 && data.size() > how.segment_size;
  messages_.push_back({.to = to_socket_address(to),
                       .offset = octets_.size(),
                       .size = data.size(),
                       .segment_size = several ? how.segment_size : std::uint16_t{0},
                       .hop_limit = how.hop_limit,
                       .source = how.source});
  octets_.insert(octets_.end(), data.begin(), data.end());
  return true;
}

// Behind the message queued last, as further segments of it, where the kernel would cut them apart
// again at the same places.
bool send_queue::merge(const endpoint& to, byte_view data, const options& how) {
  if (empty() || !segmentation_ || data.empty()) return false;
  auto& last = messages_.back();
  const std::size_t segment = last.segment_size == 0 ? last.size : last.segment_size;
  const std::size_t step = how.segment_size == 0 ? data.size() : how.segment_size;
  const bool one = data.size() <= step;
  const bool fits = segment != 0 && last.size % segment == 0 &&
                    (one ? data.size() <= segment : step == segment) &&
                    last.size + data.size() <= std::min(max_message, max_segments * segment) &&
                    octets_.size() + data.size() <= max_octets;
  if (!fits || last.hop_limit != how.hop_limit || last.source != how.source ||
      !same(last.to, to_socket_address(to))) {
    return false;
  }
  last.segment_size = static_cast<std::uint16_t>(segment);
  last.size += data.size();
  octets_.insert(octets_.end(), data.begin(), data.end());
  return true;
}

void send_queue::clear() noexcept {
  octets_.clear();
  messages_.clear();
  first_ = 0;
}

// Forgets what has been sent, once that is worth a move.
void send_queue::make_room() {
  if (first_ < messages_.size() / 2 || first_ == 0) return;
  const auto start = empty() ? octets_.size() : messages_[first_].offset;
  octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(start));
  messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(first_));
  for (auto& m : messages_) m.offset -= start;
  first_ = 0;
}

int send_queue::send_batch(int descriptor) noexcept {
  std::array<outgoing, batch_size> parts;
  std::array<mmsghdr, batch_size> headers;
  const auto count = std::min(batch_size, messages_.size() - first_);
  for (std::size_t i = 0; i < count; ++i) {
    parts[i].fill(headers[i].msg_hdr, messages_[first_ + i], octets_.data());
  }
  int sent = 0;
  do {
    sent = sendmmsg(descriptor, headers.data(), static_cast<unsigned>(count),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

int send_queue::send_one(int descriptor, const message& which) noexcept {
  outgoing part;
  msghdr header;
  auto copy = which;
  part.fill(header, copy, octets_.data());
  return sendmsg(descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 1;
}

// Segment by segment; what does not go then is lost.
void send_queue::send_split(int descriptor, const message& whole, flushed& result,
                            std::vector<socket_error>& errors) {
  int failed = 0;
  for (std::size_t at = 0; at < whole.size; at += whole.segment_size) {
    auto part = whole;
    part.offset += at;
    part.size = std::min<std::size_t>(whole.segment_size, whole.size - at);
    part.segment_size = 0;
    const auto sent = send_one(descriptor, part);
    (sent == 1 ? result.sent : result.lost) += 1;
    if (sent < 0 && sent != -EAGAIN && sent != -ENOBUFS) failed = -sent;
  }
  if (failed != 0) report(errors, {from_socket_address(whole.to.any), failed});
}

// The message at first_ did not go.
void send_queue::refuse(int descriptor, int error_number, flushed& result,
                        std::vector<socket_error>& errors) {
  const auto& which = messages_[first_];
  if (may_be_anothers(error_number) && !retried_) {
    while (const auto earlier = take_socket_error(descriptor)) {
      if (earlier->error_number != 0) report(errors, *earlier);
    }
    retried_ = true;
    return;
  }
  retried_ = false;
  ++first_;
  if (which.segment_size != 0 && (error_number == EIO || error_number == EINVAL)) {
    if (error_number == EIO) segmentation_ = false;
    send_split(descriptor, which, result, errors);
    return;
  }
  result.lost += which.datagrams();
  // A full device queue is loss on the way, not a fact about the destination.
  if (error_number != ENOBUFS) report(errors, {from_socket_address(which.to.any), error_number});
}

send_queue::flushed send_queue::flush(int descriptor, std::vector<socket_error>& errors) {
  flushed result;
  while (!empty()) {
    const auto sent = send_batch(descriptor);
    if (sent == -EAGAIN) {
      result.blocked = true;
      return result;
    }
    if (sent <= 0) {
      refuse(descriptor, sent == 0 ? EIO : -sent, result, errors);
      continue;
    }
    retried_ = false;
    for (int i = 0; i < sent; ++i) result.sent += messages_[first_++].datagrams();
  }
  clear();
  return result;
}

}  // namespace nat::stun::io
