#pragma once

// The embedded STUN server of one event loop: Binding answered statelessly (stun/server.hpp), from
// the address that was asked, to the sender and nobody else.

#include <cstdint>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/endpoint.hpp"
#include "stun/io/udp_socket.hpp"

namespace nat::signaling::io {

class stun_service {
 public:
  // Throws boost::system::system_error where the address can't be had. The port is shared with
  // other loops' sockets (SO_REUSEPORT).
  stun_service(boost::asio::any_io_executor, const endpoint& local);

  [[nodiscard]] endpoint local() const { return socket_.local(); }
  void start();

  struct counters {
    std::uint64_t requests = 0, answers = 0;  // datagrams in and out
  };
  [[nodiscard]] const counters& stats() const noexcept { return counted_; }

 private:
  void take(const stun::io::udp_socket::received&);

  stun::io::udp_socket socket_;
  counters counted_;
};

}  // namespace nat::signaling::io
