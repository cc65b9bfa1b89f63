#pragma once

// Offers of 1 KB from a hundred clients to a hundred others, as fast as they are forwarded.

#include <sys/epoll.h>

#include <chrono>

#include "tests/bench/signaling_load.hpp"

namespace nat::bench {

using clock_type = std::chrono::steady_clock;

inline double since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

inline std::string offer(const std::string& target) {
  std::string text = "{\"type\":\"offer\",\"target\":\"" + target + "\",\"sdp\":\"";
  while (text.size() < 1022) text += "a=candidate\\r\\n";  // as an SDP, full of escapes
  text.resize(1021, 'x');
  if (text.ends_with('\\')) text.back() = 'x';
  return text + "\"}";
}

struct rate {
  double by_wall = 0, by_cpu = 0;  // a second, the latter of the servers' processor time
};

// The pairs of clients, eight offers of each on their way.
class stream {
 public:
  // Streams of the same servers differ by `prefix`.
  stream(const server& from, const server& to, const std::string& prefix = "") {
    for (std::uint32_t i = 0; i < pairs; ++i) {
      const auto n = prefix + std::to_string(i);
      senders_.push_back(std::make_unique<client>(from.port(), "a" + n));
      receivers_.push_back(std::make_unique<client>(to.port(), "b" + n));
      senders_.back()->prepare(offer("b" + n), in_flight);
      epoll_event e{.events = EPOLLIN, .data = {.u32 = i}};
      ensure(::epoll_ctl(poll_, EPOLL_CTL_ADD, receivers_.back()->descriptor(), &e) == 0);
    }
    for (auto& c : senders_) c->send(in_flight);
  }
  ~stream() { ::close(poll_); }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  // How many offers arrive until then.
  std::size_t run(clock_type::time_point until) {
    std::size_t count = 0;
    while (clock_type::now() < until) {
      std::array<epoll_event, 64> ready{};
      const int n = ::epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), 1000);
      for (int i = 0; i < n; ++i) {
        const auto pair = ready[static_cast<std::size_t>(i)].data.u32;
        const auto got = receivers_[pair]->receive();
        count += got;
        if (got > 0) senders_[pair]->send(got);
      }
    }
    return count;
  }

 private:
  static constexpr std::uint32_t pairs = 100;
  static constexpr std::size_t in_flight = 8;
  const int poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<client>> senders_{}, receivers_{};
};

// The best of five seconds.
inline rate forwarded(const server& from, const server& to) {
  const auto cpu_seconds = [&] {
    return from.cpu_seconds() + (&to != &from ? to.cpu_seconds() : 0);
  };
  stream offers(from, to);
  rate best;
  for (int round = 0; round < 5; ++round) {
    const auto start = clock_type::now();
    const auto cpu = cpu_seconds();
    const auto count = static_cast<double>(offers.run(start + std::chrono::seconds{1}));
    best.by_wall = std::max(best.by_wall, count / since(start));
    best.by_cpu = std::max(best.by_cpu, count / (cpu_seconds() - cpu));
  }
  return best;
}

inline rate forwarded(const server& s) {
  return forwarded(s, s);
}

}  // namespace nat::bench
