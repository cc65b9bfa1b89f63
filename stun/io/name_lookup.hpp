#pragma once

// getaddrinfo(3) that nobody has to wait for: on a thread of its own, which the process may end
// without. Asio's resolver joins its thread when the loop goes, so a silent DNS server would
// outlast --timeout.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/endpoint.hpp"

namespace nat::stun::io {

class name_lookup {
 public:
  // Addresses in the system's order; empty with the reason where there are none.
  using result = std::function<void(const std::vector<address>&, const std::string& reason)>;

  // `on_result` is called once, from the executor, unless this object has gone by then.
  name_lookup(boost::asio::any_io_executor, const std::string& host, result on_result);
  ~name_lookup();
  name_lookup(const name_lookup&) = delete;
  name_lookup& operator=(const name_lookup&) = delete;

 private:
  struct state;
  static void tell(const std::shared_ptr<state>&, std::vector<address> found, std::string reason);
  std::shared_ptr<state> state_;
};

}  // namespace nat::stun::io
