#include "peer-cli/io/websocket.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "protocol/base/endpoint.hpp"
#include "protocol/signal/messages.hpp"
#include "stun/io/name_lookup.hpp"

namespace nat::peer_io {

namespace net = boost::asio;
namespace beast = boost::beast;
using tcp = net::ip::tcp;
using error_code = boost::system::error_code;

namespace {

struct parsed_url {
  bool tls = false;
  std::string host, port, target;
};

std::optional<parsed_url> parse_url(const std::string& text) {
  parsed_url url;
  std::string_view rest = text;
  if (rest.starts_with("ws://")) {
    rest.remove_prefix(5);
    url.port = "80";
  } else if (rest.starts_with("wss://")) {
    rest.remove_prefix(6);
    url.tls = true;
    url.port = "443";
  } else {
    return std::nullopt;
  }
  const auto slash = rest.find('/');
  url.target = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  auto authority = rest.substr(0, slash);
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    url.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) {
    authority = authority.substr(1, authority.size() - 2);
  }
  url.host = authority;
  const auto digits = url.port.find_first_not_of("0123456789") == std::string::npos;
  if (url.host.empty() || url.port.empty() || url.port.size() > 5 || !digits ||
      std::stoul(url.port) > 65'535 || text.find_first_of(" \r\n\t") != std::string::npos) {
    return std::nullopt;
  }
  return url;
}

}  // namespace

std::string check_websocket_url(const std::string& url) {
  if (parse_url(url)) return {};
  return "'" + url + "' is no server URL; it looks like ws://HOST:PORT or wss://HOST";
}

class websocket::connection {
 public:
  virtual ~connection() = default;
  virtual void start() = 0;
  virtual void send(std::string text) = 0;
  virtual void finish() = 0;
  virtual void abandon() = 0;
  [[nodiscard]] virtual bool busy() const = 0;
  [[nodiscard]] virtual bool over() const = 0;
};

template <class Stream>
class websocket::stream_connection final
    : public websocket::connection,
      public std::enable_shared_from_this<websocket::stream_connection<Stream>> {
 public:
  template <class... Arguments>
  stream_connection(const net::any_io_executor& executor, std::uint32_t id, parsed_url url,
                    handlers what, Arguments&... arguments)
      : id_(id),
        url_(std::move(url)),
        handlers_(std::move(what)),
        socket_(executor, arguments...) {}

  void start() override {
    const auto resolved = [this](const std::vector<address>& found, const std::string& reason) {
      if (found.empty()) return fail("can't resolve '" + url_.host + "'", reason);
      connect(found);
    };
    if (const auto ip = parse_address(url_.host)) return connect({*ip});
    lookup_.emplace(socket_.get_executor(), url_.host, resolved);
  }

  void send(std::string text) override {
    queue_.push_back(std::move(text));
    if (open_ && queue_.size() == 1) write();
  }

  void finish() override {
    if (closed_) return;
    finishing_ = true;
    muted_ = true;
    if (open_ && queue_.empty()) close();
    if (!open_) abandon();
  }

  void abandon() override {
    muted_ = true;
    closed_ = true;
    lookup_.reset();
    beast::get_lowest_layer(socket_).close();
  }

  [[nodiscard]] bool busy() const override { return !closed_ && (!queue_.empty() || finishing_); }
  [[nodiscard]] bool over() const override { return closed_; }

 private:
  static constexpr bool tls = !std::is_same_v<Stream, beast::tcp_stream>;

  void connect(const std::vector<address>& found) {
    if (closed_) return;
    std::vector<tcp::endpoint> where;
    const auto port = static_cast<std::uint16_t>(std::stoul(url_.port));
    for (const auto& ip : found) where.emplace_back(net::ip::make_address(to_string(ip)), port);
    beast::get_lowest_layer(socket_).async_connect(
        where, [self = this->shared_from_this()](error_code error, const tcp::endpoint&) {
          if (error)
            return self->fail("can't connect to " + self->url_.host + ":" + self->url_.port, error);
          error_code ignored;  // latency only
          beast::get_lowest_layer(self->socket_).socket().set_option(tcp::no_delay(true), ignored);
          self->secure();
        });
  }

  void secure() {
    if constexpr (tls) {
      auto& stream = socket_.next_layer();
      // An address is no server name (RFC 6066, 3).
      if (!parse_address(url_.host)) {
        SSL_set_tlsext_host_name(stream.native_handle(), url_.host.c_str());
      }
      stream.set_verify_callback(net::ssl::host_name_verification(url_.host));
      stream.async_handshake(
          net::ssl::stream_base::client, [self = this->shared_from_this()](error_code error) {
            if (error) return self->fail("TLS with " + self->url_.host + " failed", error);
            self->upgrade();
          });
    } else {
      upgrade();
    }
  }

  void upgrade() {
    socket_.read_message_max(2 * signal::max_message_bytes);
    // Pings, and an end after a minute of silence: a NAT that forgot us does not say so.
    socket_.set_option(beast::websocket::stream_base::timeout{std::chrono::seconds{10},
                                                              std::chrono::seconds{60}, true});
    socket_.set_option(
        beast::websocket::stream_base::decorator([](beast::websocket::request_type& request) {
          request.set(beast::http::field::sec_websocket_protocol, signal::subprotocol);
        }));
    const bool v6 = url_.host.find(':') != std::string::npos;
    socket_.async_handshake((v6 ? '[' + url_.host + ']' : url_.host) + ':' + url_.port, url_.target,
                            [self = this->shared_from_this()](error_code error) {
                              if (error) return self->fail("no WebSocket is answered there", error);
                              self->opened();
                            });
  }

  void opened() {
    if (closed_) return;
    open_ = true;
    socket_.text(true);
    if (!queue_.empty()) write();
    read();
    if (!muted_) handlers_.on_open(id_);
  }

  void read() {
    socket_.async_read(buffer_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) {
        const auto& reason = self->socket_.reason();
        return self->fail(
            error == beast::websocket::error::closed && !reason.reason.empty()
                ? "the server closed the connection: " + std::string(reason.reason.c_str())
                : "the connection to the server ended",
            error);
      }
      const auto data = self->buffer_.cdata();
      const std::string text(static_cast<const char*>(data.data()), data.size());
      self->buffer_.consume(self->buffer_.size());
      if (!self->muted_) self->handlers_.on_text(self->id_, text);
      if (!self->closed_) self->read();
    });
  }

  void write() {
    socket_.async_write(net::buffer(queue_.front()),
                        [self = this->shared_from_this()](error_code error, std::size_t) {
                          if (error) return self->fail("the connection to the server ended", error);
                          if (self->closed_) return;
                          self->queue_.pop_front();
                          if (!self->queue_.empty()) return self->write();
                          if (self->finishing_) self->close();
                        });
  }

  void close() {
    open_ = false;
    socket_.async_close(beast::websocket::close_code::normal,
                        [self = this->shared_from_this()](error_code) { self->closed_ = true; });
  }

  void fail(const std::string& what, error_code error) { fail(what, error.message()); }

  void fail(const std::string& what, const std::string& why) {
    if (std::exchange(closed_, true)) return;
    beast::get_lowest_layer(socket_).close();
    if (!std::exchange(muted_, true)) handlers_.on_closed(id_, what + " (" + why + ")");
  }

  std::uint32_t id_;
  parsed_url url_;
  handlers handlers_;
  std::optional<stun::io::name_lookup> lookup_;
  beast::websocket::stream<Stream, false> socket_;  // false: no permessage-deflate
  beast::flat_buffer buffer_;
  std::deque<std::string> queue_;  // stays when it ends: a write under way reads the first
  bool open_ = false, closed_ = false, finishing_ = false, muted_ = false;
};

websocket::websocket(net::any_io_executor executor, websocket_options options, handlers what)
    : executor_(std::move(executor)), options_(std::move(options)), handlers_(std::move(what)) {}

websocket::~websocket() {
  for (const auto& [id, one] : connections_) one->abandon();
}

void websocket::connect(std::uint32_t id) {
  std::erase_if(connections_, [](const auto& entry) { return entry.second->over(); });
  const auto url = parse_url(options_.url);
  if (!url) return handlers_.on_closed(id, check_websocket_url(options_.url));
  const auto start = [&](std::shared_ptr<connection> made) {
    connections_[id] = made;
    made->start();
  };
  if (!url->tls) {
    return start(
        std::make_shared<stream_connection<beast::tcp_stream>>(executor_, id, *url, handlers_));
  }
  static net::ssl::context context(net::ssl::context::tls_client);
  error_code error;
  if (options_.tls_insecure) {
    context.set_verify_mode(net::ssl::verify_none, error);
  } else {
    context.set_verify_mode(net::ssl::verify_peer, error);
    if (options_.ca_file.empty()) {
      context.set_default_verify_paths(error);
    } else {
      context.load_verify_file(options_.ca_file, error);
    }
  }
  if (error)
    return handlers_.on_closed(id,
                               "can't use --tls-ca " + options_.ca_file + ": " + error.message());
  start(std::make_shared<stream_connection<beast::ssl_stream<beast::tcp_stream>>>(
      executor_, id, *url, handlers_, context));
}

void websocket::send(std::uint32_t id, std::string text) {
  if (const auto found = connections_.find(id); found != connections_.end()) {
    found->second->send(std::move(text));
  }
}

void websocket::disconnect(std::uint32_t id) {
  if (const auto found = connections_.find(id); found != connections_.end()) {
    found->second->finish();
  }
}

bool websocket::busy() const {
  return std::ranges::any_of(connections_, [](const auto& entry) { return entry.second->busy(); });
}

}  // namespace nat::peer_io
