#pragma once

// A TCP or TLS connection to a STUN or TURN server that hands over whole messages (RFC
// 8489, 6.2.2).

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::stun::io {

struct stream_options {
  bool tls = false;
  std::string host;     // name to verify and to send as SNI
  std::string ca_file;  // empty: the system's store
  bool tls_insecure = false;
  std::size_t max_queue =
      1U << 20;  // bytes waiting to be sent; more are dropped, as a network would
};

class stream {
 public:
  // Connects from `local`'s address (any port). Exactly one of on_open, on_closed comes first;
  // nothing comes after on_closed.
  stream(boost::asio::any_io_executor, const address& local, const endpoint& remote, stream_options,
         std::function<void(const endpoint& local)> on_open,
         std::function<void(byte_view message)> on_message,
         std::function<void(std::string reason)> on_closed);
  ~stream();  // closes
  stream(stream&&) noexcept;
  stream& operator=(stream&&) noexcept;

  void send(byte_view message);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace nat::stun::io
