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

// The best of five seconds, eight offers of each pair on their way.
inline rate forwarded(const server& from, const server& to) {
  constexpr int pairs = 100, in_flight = 8;
  const auto cpu_seconds = [&] {
    return from.cpu_seconds() + (&to != &from ? to.cpu_seconds() : 0);
  };
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<client>> senders, receivers;
  for (int i = 0; i < pairs; ++i) {
    const auto n = std::to_string(i);
    senders.push_back(std::make_unique<client>(from.port(), "a" + n));
    receivers.push_back(std::make_unique<client>(to.port(), "b" + n));
    senders.back()->prepare(offer("b" + n), in_flight);
    epoll_event e{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, receivers.back()->descriptor(), &e);
  }
  for (auto& c : senders) c->send(in_flight);
  rate best;
  for (int round = 0; round < 5; ++round) {
    const auto start = clock_type::now();
    const auto cpu = cpu_seconds();
    std::size_t count = 0;
    while (clock_type::now() - start < std::chrono::seconds{1}) {
      std::array<epoll_event, 64> ready{};
      const int n = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 1000);
      for (int i = 0; i < n; ++i) {
        const auto pair = ready[static_cast<std::size_t>(i)].data.u32;
        const auto got = receivers[pair]->receive();
        count += got;
        if (got > 0) senders[pair]->send(got);
      }
    }
    best.by_wall = std::max(best.by_wall, static_cast<double>(count) / since(start));
    best.by_cpu = std::max(best.by_cpu, static_cast<double>(count) / (cpu_seconds() - cpu));
  }
  ::close(poll);
  return best;
}

inline rate forwarded(const server& s) {
  return forwarded(s, s);
}

}  // namespace nat::bench
