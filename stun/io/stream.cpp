#include "stun/io/stream.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "stun/message.hpp"

namespace nat::stun::io {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t first_buffer = 8192;  // grows to the largest message seen, 64 KiB at most

tcp::endpoint to_tcp(const endpoint& from) {
  if (from.ip.v4) {
    return {asio::ip::address_v4(load_be<std::uint32_t>(from.ip.octets)), from.port};
  }
  asio::ip::address_v6::bytes_type octets;
  std::memcpy(octets.data(), from.ip.octets.data(), octets.size());
  return {asio::ip::address_v6(octets), from.port};
}

endpoint from_tcp(const tcp::endpoint& from) {
  if (from.address().is_v4()) {
    return {make_v4(from.address().to_v4().to_uint()), from.port()};
  }
  const auto octets = from.address().to_v6().to_bytes();
  return {make_v6(std::as_bytes(std::span(octets))), from.port()};
}

ssl::context make_context(const stream_options& options) {
  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (options.tls_insecure) {
    context.set_verify_mode(ssl::verify_none);
    return context;
  }
  context.set_verify_mode(ssl::verify_peer);
  if (options.ca_file.empty()) {
    context.set_default_verify_paths();
  } else {
    context.load_verify_file(options.ca_file);
  }
  return context;
}

// Whom the certificate must name, and SNI, which carries names only (RFC 6066, 3).
void set_host(SSL* connection, const stream_options& options, const endpoint& remote) {
  auto* rules = SSL_get0_param(connection);
  const auto literal =
      options.host.empty() ? std::optional(remote.ip) : parse_address(options.host);
  if (literal) {
    const auto octets = literal->view();
    X509_VERIFY_PARAM_set1_ip(rules, reinterpret_cast<const unsigned char*>(octets.data()),
                              octets.size());
    return;
  }
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  X509_VERIFY_PARAM_set1_host(rules, options.host.c_str(), options.host.size());
  SSL_set_tlsext_host_name(connection, options.host.c_str());
}

}  // namespace

struct stream::state : std::enable_shared_from_this<state> {
  state(const asio::any_io_executor& executor, stream_options o,
        std::function<void(const endpoint&)> opened, std::function<void(byte_view)> message,
        std::function<void(std::string)> closing)
      : options(std::move(o)),
        socket(executor),
        on_open(std::move(opened)),
        on_message(std::move(message)),
        on_closed(std::move(closing)) {}

  void start(const address& local, const endpoint& remote) {
    error_code error;
    error = socket.open(remote.ip.v4 ? tcp::v4() : tcp::v6(), error);
    if (!error && !is_unspecified(local)) error = socket.bind(to_tcp({local, 0}), error);
    if (!error && options.tls) error = prepare_tls(remote);
    if (error) {
      asio::post(socket.get_executor(), [self = shared_from_this(), error] { self->end(error); });
      return;
    }
    socket.async_connect(to_tcp(remote), [self = shared_from_this()](error_code failed) {
      if (failed) return self->end(failed);
      error_code ignored;
      (void)self->socket.set_option(tcp::no_delay(true), ignored);
      self->options.tls ? self->handshake() : self->open();
    });
  }

  error_code prepare_tls(const endpoint& remote) {
    try {
      context.emplace(make_context(options));
      tls.emplace(socket, *context);
      set_host(tls->native_handle(), options, remote);
    } catch (const boost::system::system_error& e) {
      return e.code();
    }
    return {};
  }

  void handshake() {
    tls->async_handshake(ssl::stream_base::client, [self = shared_from_this()](error_code failed) {
      if (!failed) return self->open();
      const auto verdict = SSL_get_verify_result(self->tls->native_handle());
      if (verdict == X509_V_OK) return self->end(failed);
      self->end("certificate: " + std::string(X509_verify_cert_error_string(verdict)));
    });
  }

  void open() {
    if (closed) return;
    is_open = true;
    error_code error;
    const auto local = socket.local_endpoint(error);
    if (error) return end(error);
    on_open(from_tcp(local));
    if (closed) return;
    buffer.resize(first_buffer);
    read();
    write();
  }

  void read() {
    const auto room = asio::buffer(buffer.data() + filled, buffer.size() - filled);
    auto handler = [self = shared_from_this()](error_code failed, std::size_t count) {
      if (failed) return self->end(failed);
      self->filled += count;
      if (self->hand_over()) self->read();
    };
    if (tls) {
      tls->async_read_some(room, std::move(handler));
    } else {
      socket.async_read_some(room, std::move(handler));
    }
  }

  // Every whole message at the front of the buffer. False: the stream has ended.
  bool hand_over() {
    std::size_t at = 0;
    while (filled - at >= 4) {
      const byte_view rest = byte_view(buffer).subspan(at, filled - at);
      const auto size = stream_message_size(rest.first(4));
      if (!size) {
        end("the server sent something that is not STUN");
        return false;
      }
      if (*size > rest.size()) {
        if (*size > buffer.size()) buffer.resize(*size);
        break;
      }
      on_message(rest.first(*size));
      if (closed) return false;
      at += *size;
    }
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(at),
              buffer.begin() + static_cast<std::ptrdiff_t>(filled), buffer.begin());
    filled -= at;
    return true;
  }

  void send(byte_view message) {
    if (closed || waiting.size() + writing.size() + message.size() > options.max_queue) return;
    waiting.insert(waiting.end(), message.begin(), message.end());
    if (is_open) write();
  }

  void write() {
    if (closed || !writing.empty() || waiting.empty()) return;
    writing.swap(waiting);
    auto handler = [self = shared_from_this()](error_code failed, std::size_t) {
      self->writing.clear();
      if (failed) return self->end(failed);
      self->write();
    };
    if (tls) {
      asio::async_write(*tls, asio::buffer(writing), std::move(handler));
    } else {
      asio::async_write(socket, asio::buffer(writing), std::move(handler));
    }
  }

  void end(const error_code& why) {
    const bool left = why == asio::error::eof || why == ssl::error::stream_truncated;
    end(left ? "the server closed the connection" : why.message());
  }

  void end(std::string reason) {
    if (closed) return;
    close();
    on_closed(std::move(reason));
  }

  void close() {
    if (std::exchange(closed, true)) return;
    error_code ignored;
    (void)socket.close(ignored);
    // Not here: we may be inside one of these.
    asio::post(socket.get_executor(), [self = shared_from_this()] {
      self->on_open = {};
      self->on_message = {};
      self->on_closed = {};
    });
  }

  stream_options options;
  tcp::socket socket;
  std::optional<ssl::context> context{};
  std::optional<ssl::stream<tcp::socket&>> tls{};
  std::vector<std::byte> buffer{}, waiting{}, writing{};
  std::size_t filled = 0;
  bool is_open = false, closed = false;
  std::function<void(const endpoint&)> on_open;
  std::function<void(byte_view)> on_message;
  std::function<void(std::string)> on_closed;
};

stream::stream(asio::any_io_executor executor, const address& local, const endpoint& remote,
               stream_options options, std::function<void(const endpoint& local)> on_open,
               std::function<void(byte_view message)> on_message,
               std::function<void(std::string reason)> on_closed)
    : state_(std::make_shared<state>(executor, std::move(options), std::move(on_open),
                                     std::move(on_message), std::move(on_closed))) {
  state_->start(local, remote);
}

stream::~stream() {
  if (state_) state_->close();
}

stream::stream(stream&&) noexcept = default;

stream& stream::operator=(stream&& other) noexcept {
  if (state_ && state_ != other.state_) state_->close();
  state_ = std::move(other.state_);
  return *this;
}

void stream::send(byte_view message) {
  state_->send(message);
}

}  // namespace nat::stun::io
