#pragma once

// ChannelData through a TURN server, as fast as it relays: in each flow a sender keeps a window of
// packets on their way and sends the next where one has arrived, so that the figure is what the
// server carries and not what it drops. Everything that arrives is compared with what was sent.

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tests/bench/load/figures.hpp"
#include "tests/bench/load/turn_flow.hpp"

namespace nat::bench {

enum class direction : std::uint8_t {
  up,    // client → peer
  down,  // peer → client
  both   // client → peer → client: two relayed packets, counted as one
};
[[nodiscard]] std::string_view to_string(direction) noexcept;

class relay_load {
 public:
  // Payloads of `size` octets over the first `count` flows, all ready; their peers' sockets are
  // connected to the relayed addresses. `window`: packets on their way in each flow; `segmented` as
  // of class batch.
  relay_load(std::deque<turn_flow>& flows, std::size_t count, direction, std::size_t size,
             std::size_t window, bool segmented);

  void run_for(double seconds);

  struct counts {
    std::uint64_t delivered = 0, lost = 0, damaged = 0;
  };
  counts counted;

 private:
  struct lane {
    const udp* source;
    const udp* sink;
    const udp* echo;  // in between; null where there is none
    std::uint16_t channel;
    std::uint32_t next = 0, expected = 0;  // packets, by number
    time_point heard;
  };

  void fill(std::size_t i);
  void take(std::size_t i);
  void sweep();
  [[nodiscard]] std::size_t header_of_sink() const;
  enum class verdict : std::uint8_t { intact, damaged, stale };
  [[nodiscard]] verdict judge(byte_view packet, std::size_t i, std::uint32_t& number) const;

  direction way_;
  std::size_t window_;
  // The payload; in its first octets stand this load's number, the flow's and the packet's: what an
  // earlier load left behind is not counted in this one.
  bytes pattern_;
  std::uint32_t load_;
  std::vector<lane> lanes_;
  readiness ready_;
  batch in_, out_;
  time_point now_, swept_;
};

}  // namespace nat::bench
