#pragma once

// Tells when this host's addresses, links or routes change (rtnetlink(7)). A burst of changes is
// one call.

#include <functional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace nat::peer_io {

class interface_monitor {
 public:
  // Where the kernel gives no such socket, nothing is ever told: ICE then finds out by silence.
  interface_monitor(boost::asio::any_io_executor, std::function<void()> on_change);

 private:
  void wait();

  boost::asio::posix::stream_descriptor socket_;
  std::function<void()> on_change_;
};

}  // namespace nat::peer_io
