#pragma once

// Runs an io_context until something holds. The limit is there for a test that fails, not for one
// that passes: nothing waits for it.

#include <boost/asio/io_context.hpp>
#include <chrono>

namespace nat::test {

template <class Done>
bool run_until(boost::asio::io_context& io, Done done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!done()) {
    io.restart();
    if (io.run_one_until(limit) == 0 && std::chrono::steady_clock::now() >= limit) return false;
  }
  return true;
}

}  // namespace nat::test
