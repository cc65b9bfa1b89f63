#pragma once

// Something that listens where a Redis is expected, and answers whoever connects as it was told to,
// on a thread of its own.

#include <atomic>
#include <string>
#include <thread>

#include "protocol/base/endpoint.hpp"
#include "signaling/io/sockets.hpp"

namespace nat::test {

struct hostile_answer {
  std::string first{};     // to whoever connects
  std::string for_ever{};  // afterwards, again and again, as fast as it is taken
  bool hang_up = false;    // after `first`
};

class hostile_redis {
 public:
  hostile_redis(const endpoint& where, hostile_answer);
  ~hostile_redis();
  hostile_redis(const hostile_redis&) = delete;
  hostile_redis& operator=(const hostile_redis&) = delete;

  [[nodiscard]] unsigned connections() const noexcept { return connections_; }

 private:
  void run();

  const hostile_answer answer_;
  signaling::io::socket_handle listening_, stop_;
  std::atomic<unsigned> connections_ = 0;
  std::thread thread_;
};

}  // namespace nat::test
