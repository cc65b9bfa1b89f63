// An event loop by itself, without a socket.

#include "signaling/io/event_loop.hpp"

#include <thread>

#include "protocol/crypto/system_random.hpp"
#include "tests/check.hpp"

namespace nat::signaling::io {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a loop that has not come round for five seconds is known, from any thread") {
  crypto::system_random random;
  const hub::limits limits;
  const hub::trusted_proxies proxies;
  const std::vector<std::string> origins;
  shared_directory names(limits, random);
  shared_admission door(limits, random);
  shared_penalties penalties(random);
  memory_budget memory(limits.total_queue_bytes, 1);
  const shared_parts parts{
      limits, names, door, penalties, memory, proxies, origins, random, [](hub::envelope&) {}};
  const auto before = std::chrono::steady_clock::now();
  event_loop loop(0, parts);
  const auto made = std::chrono::steady_clock::now();
  CHECK(loop.turned(before));
  CHECK(loop.turned(before + 4999ms));
  CHECK_FALSE(loop.turned(made + 5s));
  std::thread thread([&] { loop.run(); });
  const auto deadline = made + 60s;
  while (!loop.turned(made + 5s) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  CHECK(loop.turned(made + 5s));  // it has come round since
  loop.stop();
  thread.join();
  CHECK_FALSE(loop.turned(std::chrono::steady_clock::now() + 5s));
}

}  // namespace
}  // namespace nat::signaling::io
