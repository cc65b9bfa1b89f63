#include "stun/turn/port_pool.hpp"

#include "protocol/base/ensure.hpp"

namespace nat::turn {

port_pool::port_pool(std::uint16_t low, std::uint16_t high) : low_(low), high_(high) {
  ensure(low >= 1 && low <= high);
}

// A few random tries, then onwards from a random place, so that a nearly full range is still used.
template <class Fits>
std::optional<std::uint16_t> port_pool::find(random_source& random, Fits fits) {
  const auto count = high_ - low_ + 1;
  auto start = low_;
  for (int i = 0; i < 16; ++i) {
    start = low_ + static_cast<std::uint32_t>(random_below(random, count));
    if (fits(start)) return static_cast<std::uint16_t>(start);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto port = low_ + (start - low_ + i) % count;
    if (fits(port)) return static_cast<std::uint16_t>(port);
  }
  return std::nullopt;
}

std::optional<std::uint16_t> port_pool::take(random_source& random) {
  const auto port = find(random, [&](std::uint32_t p) { return !used_[p]; });
  if (port) used_.set(*port);
  return port;
}

std::optional<std::uint16_t> port_pool::take_even(random_source& random) {
  const auto port = find(random, [&](std::uint32_t p) { return p % 2 == 0 && !used_[p]; });
  if (port) used_.set(*port);
  return port;
}

std::optional<std::uint16_t> port_pool::take_pair(random_source& random) {
  const auto port = find(random, [&](std::uint32_t p) {
    return p % 2 == 0 && p < high_ && !used_[p] && !used_[p + 1];
  });
  if (port) used_.set(*port).set(*port + 1U);
  return port;
}

void port_pool::give_back(std::uint16_t port) {
  used_.reset(port);
}

}  // namespace nat::turn
