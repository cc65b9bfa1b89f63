#pragma once

// Stands between the sockets under test and the kernel: fails the calls that a test names.

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::test {

struct fake_socket_error {
  endpoint destination;
  int error_number;
  int origin, type;  // of sock_extended_err
};

struct faults {
  // One for each coming sendmmsg or sendmsg: an errno, or 0 to let it through.
  std::deque<int> sends;
  // Called for each sendmsg or sendmmsg that is to go through: an errno or 0, by size and whether
  // it wants segmentation.
  std::function<int(std::size_t size, bool segmented)> judge;
  std::size_t most_messages = 1000;  // that one sendmmsg takes
  // What the error queue holds, in place of the kernel's.
  std::optional<std::deque<fake_socket_error>> error_queue;
  std::size_t calls = 0;  // of sendmmsg and sendmsg
};

// Reset to nothing by each test that uses it.
faults& injected();

}  // namespace nat::test
