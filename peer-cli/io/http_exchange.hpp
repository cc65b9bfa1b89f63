#pragma once

// One request and its response over TCP (portmap::tcp_exchange): connected from a given address,
// bounded in size and time. For UPnP.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/endpoint.hpp"

namespace nat::peer_io {

class http_exchange {
 public:
  // None: no connection, or nothing that is whole within three seconds.
  using result = std::function<void(std::optional<std::string_view>)>;

  // `interface`: the scope of a link-local `to`. `on_result` is called once, from the executor and
  // never from inside the constructor, unless this object has gone by then.
  http_exchange(boost::asio::any_io_executor, const address& from, const endpoint& to,
                unsigned interface, std::string request, result on_result);
  ~http_exchange();
  http_exchange(const http_exchange&) = delete;
  http_exchange& operator=(const http_exchange&) = delete;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace nat::peer_io
