#pragma once

// Datagrams that wait for one sendmmsg. Datagrams of equal size to one place that are queued one
// after the other leave as one UDP_SEGMENT message, whether they came as one or not. Where the
// kernel refuses to segment (EIO: the device can't checksum; EINVAL: above the MTU) they are sent
// one by one.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "stun/io/receive_batch.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::stun::io {

class send_queue {
 public:
  static constexpr std::size_t max_octets = std::size_t{512} * 1024;
  static constexpr std::size_t max_messages = 512;
  // In one message to the kernel: UDP_MAX_SEGMENTS of older kernels, and what an IPv4 datagram
  // can hold, less room for headers.
  static constexpr std::size_t max_segments = 64;
  static constexpr std::size_t max_message = 65'000;

  struct options {
    std::uint16_t segment_size = 0;
    std::optional<std::uint8_t> hop_limit = {};
    std::optional<address> source = {};
  };
  // Copies. False: no room, nothing was queued.
  [[nodiscard]] bool push(const endpoint& to, byte_view data, const options&);

  struct flushed {
    std::uint64_t sent = 0, lost = 0;  // datagrams
    bool blocked = false;              // the kernel's buffer is full; the rest stays queued
  };
  // Hands all to the kernel. What it refuses for good is lost, and added to `errors` with the
  // destination, up to max_messages of them.
  [[nodiscard]] flushed flush(int descriptor, std::vector<socket_error>& errors);

  [[nodiscard]] bool empty() const noexcept { return first_ == messages_.size(); }
  void clear() noexcept;

 private:
  struct message {
    socket_address to;
    std::size_t offset, size;
    std::uint16_t segment_size;  // as the kernel is told; 0: one datagram
    std::optional<std::uint8_t> hop_limit;
    std::optional<address> source;
    [[nodiscard]] std::size_t datagrams() const noexcept;
  };
  class outgoing;

  [[nodiscard]] bool append(const endpoint& to, byte_view data, const options&);
  [[nodiscard]] bool merge(const endpoint& to, byte_view data, const options&);
  void make_room();
  // Sends from first_ on; how many messages went, or -errno for the first.
  [[nodiscard]] int send_batch(int descriptor) noexcept;
  [[nodiscard]] int send_one(int descriptor, const message&) noexcept;
  void send_split(int descriptor, const message&, flushed&, std::vector<socket_error>&);
  void refuse(int descriptor, int error_number, flushed&, std::vector<socket_error>&);

  std::vector<std::byte> octets_;
  std::vector<message> messages_;
  std::size_t first_ = 0;     // messages before it have been sent
  bool segmentation_ = true;  // until the kernel says that this device can't
  bool retried_ = false;      // the message at first_, after somebody else's error
};

}  // namespace nat::stun::io
