#pragma once

// Finds the address behind a ".local" name, as browsers put into their candidates, by one-shot
// multicast DNS (RFC 6762, 5.1) from an ephemeral port.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/endpoint.hpp"

namespace nat::peer_io {

class mdns_resolver {
 public:
  explicit mdns_resolver(boost::asio::any_io_executor);
  ~mdns_resolver();
  // Calls back once, with nothing when nobody answers within a second.
  void resolve(const std::string& name, std::function<void(std::optional<address>)> on_result);

 private:
  struct lookup;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace nat::peer_io
