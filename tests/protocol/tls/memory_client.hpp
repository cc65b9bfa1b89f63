#pragma once

// OpenSSL's client, without a socket, against a tls::connection.

#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/freed_by.hpp"
#include "protocol/tls/connection.hpp"
#include "tests/certificate.hpp"
#include "tests/check.hpp"

namespace nat::test {

inline tls::server_context context_of(const test_certificate& c) {
  auto made = tls::server_context::make(c.certificate_pem(), c.key_pem());
  REQUIRE_MESSAGE(made.has_value(), made.error());
  return std::move(*made);
}

class memory_client {
 public:
  struct options {
    int version = TLS1_3_VERSION;
    SSL_SESSION* session = nullptr;
    std::string_view alpn{};  // as on the wire
    const char* ciphers = nullptr;
  };
  memory_client() : memory_client(options{}) {}
  explicit memory_client(const options& o) {
    SSL_CTX_set_min_proto_version(context_.get(), o.version);
    SSL_CTX_set_max_proto_version(context_.get(), o.version);
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    if (o.ciphers != nullptr) SSL_CTX_set_cipher_list(context_.get(), o.ciphers);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
    if (!o.alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(o.alpn.data()),
                          static_cast<unsigned>(o.alpn.size()));
    }
    if (o.session != nullptr) SSL_set_session(ssl_.get(), o.session);
  }

  // What the client has to send.
  std::string take() {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(out_, &data);
    std::string octets(data, static_cast<std::size_t>(size));
    (void)BIO_reset(out_);
    return octets;
  }
  void give(std::string_view octets) {
    BIO_write(in_, octets.data(), static_cast<int>(octets.size()));
  }
  // Reads what came; adds the plaintext to `heard`.
  void run() {
    if (SSL_is_init_finished(ssl_.get()) == 0) SSL_do_handshake(ssl_.get());
    std::array<char, 4096> buffer{};
    for (int n = 0; (n = SSL_read(ssl_.get(), buffer.data(), buffer.size())) > 0;) {
      heard.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  void say(std::string_view text) {
    REQUIRE(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) ==
            static_cast<int>(text.size()));
  }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  std::string heard;

 private:
  std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>> context_{SSL_CTX_new(TLS_client_method())};
  BIO* in_ = BIO_new(BIO_s_mem());  // owned by ssl_
  BIO* out_ = BIO_new(BIO_s_mem());
  std::unique_ptr<SSL, freed_by<SSL_free>> ssl_;
};

// An end of ours: what it decrypted, and the octets cut into pieces of any size.
class memory_end {
 public:
  explicit memory_end(const tls::server_context& c) : connection(c) {}
  explicit memory_end(const tls::client_context& c) : connection(c) {
    CHECK(connection.read(scratch_, out).empty());
  }

  void take(std::string_view octets, std::size_t step = SIZE_MAX) {
    while (!octets.empty()) {
      const auto piece = octets.substr(0, step);
      octets.remove_prefix(piece.size());
      connection.feed(as_bytes(piece));
      for (;;) {
        const auto plain = connection.read(scratch_, out);
        if (plain.empty()) break;
        heard += as_text(plain);
      }
    }
  }

  tls::connection connection;
  std::string heard, out;

 private:
  std::vector<std::byte> scratch_ = std::vector<std::byte>(tls::max_record);
};
using memory_server = memory_end;

// Passes octets to and fro until neither has any.
inline void exchange(memory_client& client, memory_server& server, std::size_t step = SIZE_MAX) {
  for (;;) {
    client.run();
    const auto octets = client.take();
    server.take(octets, step);
    if (octets.empty() && server.out.empty()) return;
    client.give(std::exchange(server.out, {}));
  }
}

}  // namespace nat::test
