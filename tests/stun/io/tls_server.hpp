#pragma once

// A server on loopback that speaks TLS or plain TCP.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "tests/certificate.hpp"

namespace nat::test {

// Accepts one connection and keeps what comes in; sends what it is told. With a certificate: TLS.
class stream_server {
 public:
  using tcp = boost::asio::ip::tcp;

  explicit stream_server(boost::asio::io_context& io, const test_certificate* certificate = nullptr)
      : acceptor_(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)), socket_(io) {
    if (certificate != nullptr) {
      certificate->use_in(context_.native_handle());
      tls_.emplace(socket_, context_);
      SSL_CTX_set_tlsext_servername_callback(
          context_.native_handle(), +[](SSL* s, int*, void* self) {
            const auto* name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
            static_cast<stream_server*>(self)->sni = name != nullptr ? name : "";
            return SSL_TLSEXT_ERR_OK;
          });
      SSL_CTX_set_tlsext_servername_arg(context_.native_handle(), this);
    }
    acceptor_.async_accept(socket_, [this](boost::system::error_code failed) {
      if (failed) return;
      if (!tls_) return opened();
      tls_->async_handshake(boost::asio::ssl::stream_base::server,
                            [this](boost::system::error_code refused) {
                              if (!refused) opened();
                            });
    });
  }

  [[nodiscard]] endpoint at() const {
    return {make_v4(0x7f000001), acceptor_.local_endpoint().port()};
  }
  // In one write; blocks, which loopback's buffers make harmless.
  void send(byte_view data) {
    const auto buffer = boost::asio::buffer(data.data(), data.size());
    tls_ ? boost::asio::write(*tls_, buffer) : boost::asio::write(socket_, buffer);
  }
  void close() { socket_.close(); }

  bytes received{};
  bool open = false, closed = false;
  std::string sni = "never asked";
  std::optional<std::size_t> read_no_more_than{};  // and then stops reading

 private:
  void opened() {
    open = true;
    read();
  }
  void read() {
    auto handler = [this](boost::system::error_code failed, std::size_t count) {
      if (failed) {
        closed = true;
        return;
      }
      received.insert(received.end(), buffer_.begin(),
                      buffer_.begin() + static_cast<std::ptrdiff_t>(count));
      if (!read_no_more_than || received.size() < *read_no_more_than) read();
    };
    const auto room = boost::asio::buffer(buffer_);
    tls_ ? tls_->async_read_some(room, handler) : socket_.async_read_some(room, handler);
  }

  boost::asio::ssl::context context_{boost::asio::ssl::context::tls_server};
  tcp::acceptor acceptor_;
  tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<tcp::socket&>> tls_{};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(64 * 1024);
};

}  // namespace nat::test
