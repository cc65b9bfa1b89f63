#pragma once

// Outgoing datagrams, put back to back as long as they are of one size, so that a driver can hand
// many to the kernel in one call (UDP_SEGMENT).

#include <cstdint>
#include <deque>
#include <optional>

#include "protocol/base/bytes.hpp"

namespace nat::dtls {

// Several datagrams of equal size back to back (the last may be shorter): one UDP_SEGMENT send.
struct batch {
  bytes data;
  std::uint16_t segment_size;  // 0: one datagram
};

class batch_queue {
 public:
  static constexpr std::size_t max_segments = 64;         // UDP_MAX_SEGMENTS of Linux before 6.7
  static constexpr std::size_t max_batch_bytes = 65'000;  // of one UDP datagram's 65,507
  static constexpr std::size_t max_queued_bytes = 8U << 20;

  // False: the queue is full, the datagram is lost, as it may be on any path.
  bool append(byte_view datagram);
  [[nodiscard]] std::optional<batch> pop();
  [[nodiscard]] bool empty() const noexcept { return open_.empty() && full_.empty(); }

 private:
  void flush();

  std::deque<batch> full_;
  bytes open_;
  std::size_t segment_ = 0, segments_ = 0, queued_ = 0;
  bool ended_ = false;  // a shorter datagram has ended the open batch
};

}  // namespace nat::dtls
