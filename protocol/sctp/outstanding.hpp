#pragma once

// Which stream the bytes in flight belong to: usrsctp tells that its queue is empty, but not what
// was acknowledged, and that is what back-pressure per channel needs. Both directions' packets pass
// here; TSNs of outgoing DATA and the cumulative TSN of incoming SACKs (RFC 9260, 3.3) say it all.

#include <cstdint>
#include <deque>
#include <vector>

#include "protocol/base/bytes.hpp"

namespace nat::sctp {

class outstanding_bytes {
 public:
  void taken(std::uint16_t stream, std::size_t count);
  void packet_out(byte_view packet);
  void packet_in(byte_view packet);
  void dry();  // everything is acknowledged or given up

  [[nodiscard]] std::size_t total() const noexcept { return total_; }
  [[nodiscard]] std::size_t of(std::uint16_t stream) const noexcept {
    return stream < by_stream_.size() ? by_stream_[stream] : 0;
  }

 private:
  struct in_flight {
    std::uint16_t stream;
    std::uint16_t size;
  };
  void release(in_flight);

  std::vector<std::size_t> by_stream_;
  std::deque<in_flight> chunks_;  // the first has TSN first_tsn_
  std::uint32_t first_tsn_ = 0;
  bool started_ = false;
  std::size_t total_ = 0;
};

}  // namespace nat::sctp
