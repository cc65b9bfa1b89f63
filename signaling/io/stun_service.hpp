#pragma once

// The embedded STUN server of one event loop: Binding answered statelessly (stun/server.hpp), to
// the sender and nobody else.

#include <cstdint>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "protocol/base/endpoint.hpp"

namespace nat::signaling::io {

class stun_service {
 public:
  // Throws startup_error where the address can't be had. `share`: with other loops' sockets.
  stun_service(boost::asio::io_context&, const endpoint& local);
  ~stun_service();

  [[nodiscard]] endpoint local() const;
  void start();
  void close();

  struct counters {
    std::uint64_t requests = 0, answers = 0;
  };
  [[nodiscard]] counters stats() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::signaling::io
