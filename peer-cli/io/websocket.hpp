#pragma once

// WebSockets to the signaling server, ws or wss; text frames. The caller numbers the connections.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

namespace nat::peer_io {

struct websocket_options {
  std::string url;      // ws://HOST[:PORT][/PATH] or wss://…
  std::string ca_file;  // empty: the system's store
  bool tls_insecure = false;
};

// What is wrong with the URL, or empty.
[[nodiscard]] std::string check_websocket_url(const std::string& url);

class websocket {
 public:
  struct handlers {
    std::function<void(std::uint32_t)> on_open;
    std::function<void(std::uint32_t, std::string_view)> on_text;
    // Once a connection, and then nothing more.
    std::function<void(std::uint32_t, std::string reason)> on_closed;
  };

  websocket(boost::asio::any_io_executor, websocket_options, handlers);
  ~websocket();

  void connect(std::uint32_t id);
  void send(std::uint32_t id, std::string text);
  // Sends what is queued, then closes; nothing is called for it any more.
  void disconnect(std::uint32_t id);
  // True while something still waits to be sent.
  [[nodiscard]] bool busy() const;

 private:
  class connection;
  template <class Stream>
  class stream_connection;
  boost::asio::any_io_executor executor_;
  websocket_options options_;
  handlers handlers_;
  std::map<std::uint32_t, std::shared_ptr<connection>> connections_;
};

}  // namespace nat::peer_io
