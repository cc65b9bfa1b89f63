// What stun/io's socket carries over loopback, both ends in one thread: 1,200-octet datagrams, with
// the kernel segmenting and coalescing, and without. Prints one JSON object a line; the best of
// many rounds.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

#include "stun/io/udp_socket.hpp"

namespace {

using namespace nat;
using stun::io::udp_socket;

constexpr std::size_t datagram = 1200, burst = 48;

// Octets a second for bursts that `send` queues; each is received before the next is sent.
template <class Send>
double carry(Send send) {
  boost::asio::io_context io;
  const auto any = *parse_endpoint("127.0.0.1:0");
  udp_socket from(io.get_executor(), any), to(io.get_executor(), any);
  std::size_t arrived = 0;
  to.start([&](const udp_socket::received& r) { arrived += r.data.size(); }, [] {},
           [](const endpoint&, int) {});
  double best = 0;
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t bursts = 50;
    arrived = 0;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 1; i <= bursts; ++i) {
      send(from, to.local());
      from.flush();
      while (arrived < i * burst * datagram) io.poll();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(bursts * burst * datagram) / took.count());
  }
  return best;
}

void print(const char* name, double octets_per_second) {
  std::printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"MB/s\",\"target\":null}\n", name,
              octets_per_second / 1e6);
}

}  // namespace

int main() {
  const bytes block(burst * datagram);
  const byte_view all = block;
  print("udp_loopback_one_block",
        carry([&](udp_socket& s, const endpoint& to) { s.send(to, all, datagram); }));
  print("udp_loopback_queued_one_by_one", carry([&](udp_socket& s, const endpoint& to) {
          for (std::size_t i = 0; i < burst; ++i) s.send(to, all.subspan(i * datagram, datagram));
        }));
  // A hop limit that differs keeps the datagrams apart: sendmmsg and recvmmsg alone.
  print("udp_loopback_without_segmentation", carry([&](udp_socket& s, const endpoint& to) {
          for (std::size_t i = 0; i < burst; ++i) {
            s.send(to, all.subspan(i * datagram, datagram), 0,
                   static_cast<std::uint8_t>(i % 2 == 0 ? 64 : 63));
          }
        }));
}
