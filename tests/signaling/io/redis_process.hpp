#pragma once

// Debian's redis-server as a child process, on a loopback port that stays its own while it is down,
// and a client that asks it one thing after the other.

#include <sys/types.h>

#include <deque>
#include <string>
#include <vector>

#include "protocol/base/endpoint.hpp"
#include "signaling/io/redis_reader.hpp"
#include "signaling/io/sockets.hpp"
#include "tests/certificate.hpp"

namespace nat::test {

inline constexpr const char* redis_password = "a test keeps no secrets";

// A port of 127.0.0.1 that nobody else is given. Whoever listens there sets SO_REUSEADDR.
class reserved_port {
 public:
  reserved_port();
  [[nodiscard]] const endpoint& where() const noexcept { return where_; }

 private:
  signaling::io::socket_handle socket_;
  endpoint where_;
};

// Fails the test where redis-server is missing (scripts/deps test installs it) or not ready in
// 20 s.
class redis_process {
 public:
  redis_process() : redis_process(std::vector<std::string>()) {}
  // Speaks TLS only; `more` options besides.
  explicit redis_process(const test_certificate&, std::vector<std::string> more = {});
  ~redis_process();
  redis_process(const redis_process&) = delete;
  redis_process& operator=(const redis_process&) = delete;

  void start();  // empty
  void kill();
  [[nodiscard]] const endpoint& where() const noexcept { return port_.where(); }
  // Options of a server that uses it.
  [[nodiscard]] std::vector<std::string> options() const;
  // A file that holds `password`.
  [[nodiscard]] std::string password_file(std::string_view password) const;

 private:
  explicit redis_process(std::vector<std::string> more);
  void read_until_ready() const;

  reserved_port port_;
  std::vector<std::string> more_;  // options
  std::string folder_;
  pid_t pid_ = -1;
  int says_ = -1;
};

// Every wait gives up, and fails the test, after ten seconds.
class redis_client {
 public:
  explicit redis_client(const redis_process&);
  cluster::reply ask(const std::vector<std::string>& words);
  // What comes by itself, once subscribed.
  cluster::reply hear();

 private:
  signaling::io::socket_handle socket_;
  signaling::io::redis_reader reader_;
  std::deque<cluster::reply> heard_;
};

}  // namespace nat::test
