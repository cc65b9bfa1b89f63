#pragma once

// Gives ice::mdns::resolver its sockets: one on the group's port out of each IPv4 interface, opened
// at the first name that is asked for. How they must be set up: ice/gather/mdns.hpp. Left out: IPv6
// transport (the answers carry addresses of both families all the same).

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/endpoint.hpp"

namespace nat::peer_io {

class mdns_resolver {
 public:
  using result = std::function<void(const std::string& name, std::optional<address>)>;

  // `on_result` is called once for each address of a name, or once with none.
  mdns_resolver(boost::asio::any_io_executor, result on_result);
  ~mdns_resolver();
  void ask(const std::string& name);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace nat::peer_io
