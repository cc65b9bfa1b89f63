#include "stun/io/gather_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/base/ensure.hpp"
#include "stun/io/ancillary.hpp"

namespace nat::stun::io {
namespace {

constexpr std::size_t batch_size = 64;  // messages of one sendmmsg
constexpr std::size_t made_size = std::size_t{64} * 1024, max_made = 2048;

iovec piece(byte_view octets) noexcept {
  // The kernel only reads it.
  return {const_cast<std::byte*>(octets.data()), octets.size()};
}

std::size_t bucket_of(int descriptor, const endpoint& to, std::size_t buckets) noexcept {
  std::uint64_t half[2];
  std::memcpy(half, to.ip.octets.data(), sizeof half);
  const auto key = half[0] ^ (half[1] << 1U) ^ (std::uint64_t{to.port} << 32U) ^
                   (static_cast<std::uint64_t>(descriptor) << 48U);
  return (key * 0x9e3779b97f4a7c15U) >> 40U & (buckets - 1);
}

}  // namespace

gather_queue::gather_queue() : made_(made_size) {
  datagrams_.reserve(max_datagrams);
  messages_.reserve(max_datagrams);
  newest_.fill(none);
}

byte_span gather_queue::room(std::size_t size) {
  ensure(size <= max_made);
  if (made_used_ + size > made_.size() || datagrams_.size() == max_datagrams) flush();
  const auto out = byte_span(made_).subspan(made_used_, size);
  made_used_ += size;
  return out;
}

gather_queue::message* gather_queue::find(int descriptor, const endpoint& to,
                                          const std::optional<address>& source,
                                          std::size_t bucket) {
  for (auto at = newest_[bucket]; at != none; at = messages_[at].next_in_bucket) {
    auto& m = messages_[at];
    if (m.descriptor == descriptor && m.to == to && m.source == source) return &m;
  }
  return nullptr;
}

void gather_queue::push(int descriptor, const endpoint& to, const std::optional<address>& source,
                        byte_view head, byte_view body, byte_view tail) {
  if (datagrams_.size() == max_datagrams) flush();
  const auto index = static_cast<std::uint32_t>(datagrams_.size());
  datagrams_.push_back({{piece(head), piece(body), piece(tail)}, none});
  const auto size = head.size() + body.size() + tail.size();
  const auto bucket = bucket_of(descriptor, to, buckets);
  // The newest message to this place: older ones are full, or of another size.
  auto* m = find(descriptor, to, source, bucket);
  if (m != nullptr && segmentation_ && m->open && size <= m->segment && size != 0 &&
      m->count < max_segments && m->octets + size <= max_message) {
    datagrams_[m->last].next = index;
    m->last = index;
    ++m->count;
    m->octets += size;
    m->open = size == m->segment;
    return;
  }
  messages_.push_back({descriptor, to, source, to_socket_address(to), index, index, 1, size, size,
                       true, newest_[bucket]});
  newest_[bucket] = static_cast<std::uint32_t>(messages_.size() - 1);
}

void gather_queue::flush() {
  for (std::size_t at = 0; at < messages_.size();) {
    const auto descriptor = messages_[at].descriptor;
    std::size_t count = 1;
    while (at + count < messages_.size() && count < batch_size &&
           messages_[at + count].descriptor == descriptor) {
      ++count;
    }
    at += send(at, count);
  }
  for (const auto& m : messages_) newest_[bucket_of(m.descriptor, m.to, buckets)] = none;
  messages_.clear();
  datagrams_.clear();
  made_used_ = 0;
}

// One sendmmsg over messages of one descriptor; how many of them are dealt with.
std::size_t gather_queue::send(std::size_t first, std::size_t count) {
  std::array<ancillary, batch_size> beside;
  std::array<mmsghdr, batch_size> headers;
  std::array<iovec, 3 * max_datagrams> pieces;
  std::size_t used = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto& m = messages_[first + i];
    auto& header = headers[i].msg_hdr = {};
    header.msg_name = &m.name.any;
    header.msg_namelen = m.name.size;
    header.msg_iov = &pieces[used];
    for (auto d = m.first; d != none; d = datagrams_[d].next) {
      for (const auto& p : datagrams_[d].pieces) {
        if (p.iov_len != 0) pieces[used++] = p;
      }
    }
    header.msg_iovlen = static_cast<std::size_t>(&pieces[used] - header.msg_iov);
    const auto segment = m.count > 1 ? static_cast<std::uint16_t>(m.segment) : std::uint16_t{0};
    beside[i].fill(header, m.to.ip.v4, segment, {}, m.source);
  }
  const int sent = sendmmsg(messages_[first].descriptor, headers.data(),
                            static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) {
    const auto done = static_cast<std::size_t>(sent);
    for (std::size_t i = 0; i < done; ++i) counted_.sent += messages_[first + i].count;
    return done;
  }
  const auto& refused = messages_[first];
  if (errno == EINTR) return 0;
  // A full buffer refuses the next message too.
  if (errno == EAGAIN || errno == ENOBUFS) {
    for (std::size_t i = 0; i < count; ++i) counted_.lost += messages_[first + i].count;
    return count;
  }
  if (refused.count > 1 && (errno == EIO || errno == EINVAL)) {
    if (errno == EIO) segmentation_ = false;
    send_one_by_one(refused);
  } else {
    counted_.lost += refused.count;
  }
  return 1;
}

// Where the kernel won't segment: EIO, the device can't checksum; EINVAL, above the link's MTU.
void gather_queue::send_one_by_one(const message& m) {
  auto name = m.name;
  for (auto d = m.first; d != none; d = datagrams_[d].next) {
    auto pieces = datagrams_[d].pieces;
    msghdr header{};
    header.msg_name = &name.any;
    header.msg_namelen = name.size;
    header.msg_iov = pieces.data();
    header.msg_iovlen = pieces.size();
    ancillary beside;
    beside.fill(header, m.to.ip.v4, 0, {}, m.source);
    const bool went = sendmsg(m.descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    ++(went ? counted_.sent : counted_.lost);
  }
}

}  // namespace nat::stun::io
