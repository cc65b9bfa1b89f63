#pragma once

// The admin port: GET /healthz, /readyz, /metrics and /heap, one request a connection. It asks
// nobody who they are, so it belongs on a loopback or otherwise guarded address.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "signaling/io/sockets.hpp"

namespace nat::signaling::io {

// What /readyz says: all of it must hold, one line each.
struct readiness {
  bool ready = true;
  std::string details;

  void require(std::string_view what, bool holds) {
    ready = ready && holds;
    details.append(what).append(holds ? ": ok\n" : ": failed\n");
  }
};

struct admin_answers {
  std::function<readiness()> ready;
  // Calls back, on the admin's thread, with the text.
  std::function<void(std::function<void(std::string)>)> metrics;
};

class admin {
 public:
  admin(boost::asio::io_context&, socket_handle listening, admin_answers);

 private:
  void accept();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::shared_ptr<int> visits_ = std::make_shared<int>(0);  // each holds a reference
  admin_answers answers_;
};

}  // namespace nat::signaling::io
