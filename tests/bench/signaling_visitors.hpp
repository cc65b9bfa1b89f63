#pragma once

// Clients that come, register, and go, many at once on one thread: what bench_signaling makes new
// connections with. Over TLS 1.3 too; a client then holds its own records in memory, so that each
// step of the handshake is one send and one recv.

#include <sys/epoll.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/freed_by.hpp"
#include "tests/bench/signaling_load.hpp"

namespace nat::bench {

enum class privacy { none, whole_handshakes, resumed_sessions };

// The client's rules for all of its connections, as cheap as TLS allows: the certificate's chain is
// not judged (its key's signature of the handshake is, by any client of TLS).
class visitor_context {
 public:
  explicit visitor_context(bool resume) : context_(SSL_CTX_new(TLS_client_method())) {
    auto* c = context_.get();
    ensure(c != nullptr && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") == 1 &&
           SSL_CTX_set1_sigalgs_list(c, "ECDSA+SHA256") == 1 &&
           SSL_CTX_set1_groups_list(c, "X25519") == 1);
    SSL_CTX_set_cert_verify_callback(c, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    SSL_CTX_set_session_cache_mode(
        c, resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (!resume) return;
    SSL_CTX_set_ex_data(c, 0, this);
    SSL_CTX_sess_set_new_cb(c, [](SSL* s, SSL_SESSION* session) {
      auto* self = static_cast<visitor_context*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(s), 0));
      self->sessions_.emplace_back(session);
      return 1;
    });
  }
  [[nodiscard]] SSL* make() {
    auto* s = SSL_new(context_.get());
    SSL_set_bio(s, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(s);
    if (sessions_.empty()) return s;
    ensure(SSL_set_session(s, sessions_.back().get()) == 1);
    sessions_.pop_back();
    return s;
  }

 private:
  std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>> context_;
  std::vector<std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>>> sessions_{};
};

class visitors {
 public:
  visitors(std::uint16_t port, int at_once, privacy what)
      : port_(port),
        poll_(::epoll_create1(EPOLL_CLOEXEC)),
        all_(static_cast<std::size_t>(at_once)) {
    if (what != privacy::none) {
      context_ = std::make_unique<visitor_context>(what == privacy::resumed_sessions);
    }
    for (auto& v : all_) come(v);
  }
  ~visitors() {
    for (auto& v : all_) ::close(v.socket);
    ::close(poll_);
  }
  visitors(const visitors&) = delete;
  visitors& operator=(const visitors&) = delete;

  // One look at who has news; whoever is registered makes room for another.
  void turn() {
    std::array<epoll_event, 256> ready{};
    const int n = ::epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), 5000);
    ensure(n > 0);  // the server answers
    for (int i = 0; i < n; ++i) hear(all_[ready[static_cast<std::size_t>(i)].data.u32]);
  }
  // Of those who were registered.
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t resumed() const { return resumed_; }

 private:
  struct visitor {
    int socket = -1;
    std::unique_ptr<SSL, freed_by<SSL_free>> tls{};
    bool asked = false;
    std::string answer{};
  };

  void come(visitor& v) {
    v.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ensure(v.socket >= 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Blocks no longer than loopback takes, whether or not the server has accepted.
    ensure(::connect(v.socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    v.asked = false;
    v.answer.clear();
    if (context_) {
      v.tls.reset(context_->make());
      shake_hands(v);
    } else {
      ask(v);
    }
    epoll_event e{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(&v - all_.data())}};
    ensure(::epoll_ctl(poll_, EPOLL_CTL_ADD, v.socket, &e) == 0);
  }

  void ask(visitor& v) {
    v.asked = true;
    const auto words =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" +
        masked_frame("{\"type\":\"register\",\"peer_id\":\"v" + std::to_string(++names_) + "\"}");
    if (!v.tls) return send_all(v.socket, words);
    ensure(SSL_write(v.tls.get(), words.data(), static_cast<int>(words.size())) > 0);
  }

  void shake_hands(visitor& v) {
    const int done = SSL_do_handshake(v.tls.get());
    if (done == 1) {
      resumed_ += SSL_session_reused(v.tls.get()) == 1 ? 1 : 0;
      ask(v);
    } else {
      ensure(SSL_get_error(v.tls.get(), done) == SSL_ERROR_WANT_READ);
    }
    char* octets = nullptr;
    auto* out = SSL_get_wbio(v.tls.get());
    const auto size = BIO_get_mem_data(out, &octets);
    if (size > 0) send_all(v.socket, {octets, static_cast<std::size_t>(size)});
    (void)BIO_reset(out);
  }

  void hear(visitor& v) {
    std::array<char, 8192> buffer;
    const auto n = ::recv(v.socket, buffer.data(), buffer.size(), 0);
    ensure(n > 0);
    if (!v.tls) {
      v.answer.append(buffer.data(), static_cast<std::size_t>(n));
    } else {
      ensure(BIO_write(SSL_get_rbio(v.tls.get()), buffer.data(), static_cast<int>(n)) == n);
      if (!v.asked) return shake_hands(v);
      for (int got = 0; (got = SSL_read(v.tls.get(), buffer.data(), buffer.size())) > 0;) {
        v.answer.append(buffer.data(), static_cast<std::size_t>(got));
      }
    }
    if (!v.answer.ends_with('}')) return;
    ensure(v.answer.find("\"registered\"") != v.answer.npos);
    ++count_;
    if (v.tls) SSL_set_shutdown(v.tls.get(), SSL_SENT_SHUTDOWN);  // else its session is no good
    ::close(v.socket);                                            // it is no longer watched either
    come(v);
  }

  std::uint16_t port_;
  int poll_;
  std::vector<visitor> all_;
  std::unique_ptr<visitor_context> context_{};
  std::size_t count_ = 0, resumed_ = 0, names_ = 0;
};

}  // namespace nat::bench
