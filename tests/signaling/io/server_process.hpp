#pragma once

// The real signaling-server as a child process, on loopback ports of its own choosing. What it is
// waited for it says or does within 60 s, or the test fails.

#include <sys/types.h>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/endpoint.hpp"

namespace nat::test {

// Runs the server to its end; what it wrote to standard error, and its exit status.
struct finished {
  int status = -1;
  std::string errors;
};
[[nodiscard]] finished run_server(const std::vector<std::string>& arguments);

class server_process {
 public:
  // Adds --listen, --admin, --ready-file and, without --no-stun, --stun; returns once the server
  // says that it is ready.
  explicit server_process(std::vector<std::string> arguments = {});
  ~server_process();  // kills it if it still runs
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;

  void signal(int number) const;
  // Until it has ended; -1: not by itself.
  [[nodiscard]] int wait();
  // Reads its log until a line ends so.
  void wait_for(std::string_view end_of_line) const;
  // What it has said that was not waited for, once it has ended.
  [[nodiscard]] std::string last_words() const;
  [[nodiscard]] bool alive() const;
  // How many files and sockets it may have from here on.
  void limit_descriptors(unsigned count) const;
  [[nodiscard]] std::size_t resident_bytes() const;
  // All but the first.
  [[nodiscard]] std::vector<pid_t> other_threads() const;
  [[nodiscard]] std::size_t open_descriptors() const;
  [[nodiscard]] std::size_t threads() const;

  [[nodiscard]] const std::string& ready_text() const noexcept { return ready_; }
  endpoint websocket, stun, admin;

 private:
  pid_t pid_ = -1;
  int errors_ = -1;
  std::string ready_;
};

}  // namespace nat::test
