#pragma once

// Datagrams on their way out that stay where they are: pieces of the caller's memory, up to three
// for each, gathered by the kernel. For relays and servers, which forward what stands in a receive
// buffer: nothing is copied in user space. Datagrams of equal size to one place leave as one
// UDP_SEGMENT message, whatever was pushed in between; the order of one destination's datagrams is
// kept, that between destinations is not. What the kernel does not take at once is lost, as in any
// full queue on a network, and counted.

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "stun/io/sockaddr.hpp"

namespace nat::stun::io {

class gather_queue {
 public:
  static constexpr std::size_t max_datagrams = 512;  // then it flushes by itself
  static constexpr std::size_t max_segments = 64;    // UDP_MAX_SEGMENTS of older kernels
  static constexpr std::size_t max_message = 65'000;

  gather_queue();

  // From `descriptor`, and from its address `source` where it has several. The pieces stay
  // valid until the next flush().
  void push(int descriptor, const endpoint& to, const std::optional<address>& source,
            byte_view head, byte_view body = {}, byte_view tail = {});
  // Memory for a piece of the next push(), made on the spot; `size` at most 2,048.
  [[nodiscard]] byte_span room(std::size_t size);
  // Hands all to the kernel. Before the memory pushed changes.
  void flush();

  struct counters {
    std::uint64_t sent = 0, lost = 0;  // datagrams
  };
  [[nodiscard]] const counters& stats() const noexcept { return counted_; }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::size_t buckets = 256;
  struct datagram {
    std::array<iovec, 3> pieces;
    std::uint32_t next;  // of the same message
  };
  struct message {
    int descriptor;
    endpoint to;
    std::optional<address> source;
    socket_address name;
    std::uint32_t first, last;  // datagrams
    std::uint32_t count;
    std::size_t octets, segment;  // together; of each but the last
    bool open;                    // more of the same size may follow
    std::uint32_t next_in_bucket;
  };

  [[nodiscard]] message* find(int descriptor, const endpoint& to,
                              const std::optional<address>& source, std::size_t bucket);
  [[nodiscard]] std::size_t send(std::size_t first, std::size_t count);
  void send_one_by_one(const message&);

  std::vector<datagram> datagrams_;
  std::vector<message> messages_;
  std::array<std::uint32_t, buckets> newest_;  // message in each bucket
  std::vector<std::byte> made_;
  std::size_t made_used_ = 0;
  bool segmentation_ = true;  // until the kernel says that a device can't
  counters counted_;
};

}  // namespace nat::stun::io
