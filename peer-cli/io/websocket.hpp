#pragma once

// The WebSocket to the signaling server, ws or wss. One connection at a time; text frames.

#include <functional>
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
    std::function<void()> on_open;
    std::function<void(std::string_view)> on_text;
    std::function<void(std::string reason)> on_closed;  // once a connection, and then nothing more
  };

  websocket(boost::asio::any_io_executor, websocket_options, handlers);
  ~websocket();

  void connect();
  void send(std::string text);
  // Sends what is queued, then closes; on_closed is not called for it.
  void disconnect();
  // True while something still waits to be sent.
  [[nodiscard]] bool busy() const;

 private:
  class connection;
  template <class Stream>
  class stream_connection;
  boost::asio::any_io_executor executor_;
  websocket_options options_;
  handlers handlers_;
  std::shared_ptr<connection> current_;
  std::shared_ptr<connection> closing_;
};

}  // namespace nat::peer_io
