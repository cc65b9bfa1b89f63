#pragma once

// A certificate made on the spot, and a server on loopback that speaks TLS with it or plain TCP.

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::test {

// A self-signed P-256 certificate for "stun.test" and 127.0.0.1, and a file that holds it, for
// those who are to trust it.
class test_certificate {
 public:
  test_certificate() : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), cert_(X509_new(), X509_free) {
    auto* x = cert_.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key_.get());
    auto* name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("a test"), -1, -1, 0);
    X509_set_issuer_name(x, name);
    add(NID_subject_alt_name, "DNS:stun.test,IP:127.0.0.1");
    add(NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(x, key_.get(), EVP_sha256());
    char path[] = "/tmp/nat-stun-io-test-XXXXXX";
    const int fd = mkstemp(path);
    file_ = path;
    auto* out = fdopen(fd, "w");
    PEM_write_X509(out, x);
    fclose(out);
  }
  ~test_certificate() { std::filesystem::remove(file_); }
  test_certificate(const test_certificate&) = delete;
  test_certificate& operator=(const test_certificate&) = delete;

  [[nodiscard]] const std::string& file() const { return file_; }
  void use_in(boost::asio::ssl::context& context) const {
    SSL_CTX_use_certificate(context.native_handle(), cert_.get());
    SSL_CTX_use_PrivateKey(context.native_handle(), key_.get());
  }

 private:
  void add(int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert_.get(), cert_.get(), nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(cert_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> cert_;
  std::string file_;
};

// Accepts one connection and keeps what comes in; sends what it is told. With a certificate: TLS.
class stream_server {
 public:
  using tcp = boost::asio::ip::tcp;

  explicit stream_server(boost::asio::io_context& io, const test_certificate* certificate = nullptr)
      : acceptor_(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)), socket_(io) {
    if (certificate != nullptr) {
      certificate->use_in(context_);
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
  void stop_listening() { acceptor_.close(); }

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
