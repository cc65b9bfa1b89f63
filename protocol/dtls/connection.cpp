#include "protocol/dtls/connection.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/dtls/context.hpp"
#include "protocol/dtls/datagram_bio.hpp"
#include "protocol/injected_time/scope.hpp"

namespace nat::dtls {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t record_header = 13;  // RFC 6347, 4.1
constexpr std::byte application_data{23};
// OpenSSL takes a timer with less than 15 ms to go for expired, so it can't be shorter by much.
constexpr auto shortest_retransmission = 50ms;
constexpr auto longest_retransmission = 60s;  // RFC 6347, 4.2.4.1

// What encryption adds to a record: GCM's explicit nonce and tag (RFC 5288), or ChaCha20's tag
// alone (RFC 7905).
std::size_t sealed_overhead(const SSL* ssl) {
  const auto* cipher = SSL_get_current_cipher(ssl);
  const bool chacha =
      cipher != nullptr && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305;
  return chacha ? 16 : 8 + 16;
}

// Whether each record that claims to be encrypted is long enough to be. RFC 6347, 4.1.2.7 has
// invalid records discarded; OpenSSL ends the connection over these, whoever sent them.
bool may_be_sealed(byte_view datagram, std::size_t overhead) {
  while (datagram.size() >= record_header) {
    const auto epoch = load_be<std::uint16_t>(datagram, 3);
    const auto length = load_be<std::uint16_t>(datagram, 11);
    if (epoch != 0 && length < overhead) return false;
    if (datagram.size() - record_header < length) break;
    datagram = datagram.subspan(record_header + length);
  }
  return true;
}

unsigned microseconds(duration d) {
  return static_cast<unsigned>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

struct connection::body {
  body(connection_config config, const certificate& own);

  void handshake(time_point now);
  void fail(failure why, std::string detail);
  void note_error(int ssl_error);
  void rearm(time_point now);
  bool has_input();

  static unsigned retransmission(SSL* ssl, unsigned previous_us);

  connection_config config;
  expectation expected;
  datagram_port port;
  ssl_ptr ssl;
  dtls::state state = state::handshaking;
  failure why = failure::none;
  std::string detail;
  std::deque<bytes> early;
  bytes early_current;
  std::optional<time_point> deadline;
  std::size_t overhead = 0;  // of an encrypted record, once connected
  bool fruitful = true;      // the datagram being handled has changed something
  dtls::counters counts;
  std::array<std::byte, 16'384> plaintext;  // the largest record there is (RFC 5246, 6.2.1)
};

connection::body::body(connection_config c, const certificate& own)
    : config(std::move(c)), expected{config.remote, false} {
  port.mtu = config.mtu;
  ssl.reset(SSL_new(own.native().context.get()));
  ensure(ssl != nullptr);
  expect(ssl.get(), expected);
  BIO* bio = make_datagram_bio(port);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), this);
  SSL_set_mtu(ssl.get(), static_cast<long>(config.mtu));
  DTLS_set_timer_cb(ssl.get(), retransmission);
  if (config.role == role::client) {
    SSL_set_connect_state(ssl.get());
  } else {
    SSL_set_accept_state(ssl.get());
  }
}

// RFC 6347, 4.2.4.1 starts at one second where nothing is known. ICE has measured the path, so the
// first value is RFC 6298's after one measurement R: R + 4 * R/2.
unsigned connection::body::retransmission(SSL* ssl, unsigned previous_us) {
  auto& self = *static_cast<body*>(SSL_get_app_data(ssl));
  if (previous_us > 0) {
    ++self.counts.retransmitted_flights;
    return std::min(previous_us * 2, microseconds(longest_retransmission));
  }
  return microseconds(std::clamp<duration>(3 * self.config.initial_rtt, shortest_retransmission,
                                           longest_retransmission));
}

void connection::body::fail(failure reason, std::string text) {
  if (state == state::failed || state == state::closed) return;
  state = state::failed;
  why = reason;
  detail = std::move(text);
  deadline.reset();
}

void connection::body::note_error(int ssl_error) {
  if (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE) return;
  if (ssl_error == SSL_ERROR_ZERO_RETURN) {
    state = state::closed;
    deadline.reset();
    return;
  }
  const auto code = ERR_peek_last_error();
  const auto reason = ERR_GET_REASON(code);
  const char* words = ERR_reason_error_string(code);
  if (expected.mismatch) {
    fail(failure::fingerprint_mismatch,
         "verify the peer: its certificate is not the one that was announced");
  } else if (reason == SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE) {
    fail(failure::fingerprint_mismatch, "convince the peer: it refuses our certificate");
  } else if (reason == SSL_R_READ_TIMEOUT_EXPIRED) {
    fail(failure::timeout, "encrypt: the peer stopped answering");
  } else {
    fail(failure::handshake, std::string("encrypt: ") + (words ? words : "protocol error"));
  }
}

void connection::body::handshake(time_point now) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl.get());
  if (result == 1) {
    state = state::connected;
    overhead = sealed_overhead(ssl.get());
  } else {
    note_error(SSL_get_error(ssl.get(), result));
  }
  rearm(now);
}

// OpenSSL owns the handshake's timer; this is when it wants to be asked.
void connection::body::rearm(time_point now) {
  timeval left{};
  deadline.reset();
  if (state == state::failed || state == state::closed) return;
  if (DTLSv1_get_timeout(ssl.get(), &left) == 1) {
    deadline = now + std::chrono::seconds{left.tv_sec} + std::chrono::microseconds{left.tv_usec};
  }
}

// Asking OpenSSL costs as much as a small record does: only where there is something to read.
bool connection::body::has_input() {
  if (!port.input.empty() || SSL_has_pending(ssl.get()) == 1) return true;
  if (early.empty()) return false;
  early_current = std::move(early.front());
  early.pop_front();
  port.input = early_current;
  return true;
}

connection::connection(connection_config config, const certificate& own, time_point now)
    : body_(std::make_unique<body>(std::move(config), own)) {
  if (body_->config.role == role::client) {
    const injected_time::scope scope(now);
    body_->handshake(now);
  }
}

connection::~connection() = default;
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;

void connection::handle_datagram(byte_view datagram, time_point now) {
  auto& b = *body_;
  const bool possible = datagram.size() >= record_header && datagram[0] >= std::byte{20} &&
                        datagram[0] <= std::byte{63};
  if (!possible || b.state == state::failed || b.state == state::closed) {
    ++b.counts.dropped;
    return;
  }
  if (b.state == state::connected) {
    if (!may_be_sealed(datagram, b.overhead)) {
      ++b.counts.dropped;
      return;
    }
    b.port.input = datagram;
    b.fruitful = false;
    return;
  }
  if (datagram[0] == application_data) {
    if (b.early.size() < max_early_datagrams) {
      b.early.push_back(to_bytes(datagram));
    } else {
      ++b.counts.dropped;
    }
    return;
  }
  const injected_time::scope scope(now);
  b.port.input = datagram;
  b.handshake(now);
}

void connection::handle_timeout(time_point now) {
  auto& b = *body_;
  if (!b.deadline || now < *b.deadline) return;
  const injected_time::scope scope(now);
  ERR_clear_error();
  if (DTLSv1_handle_timeout(b.ssl.get()) < 0) b.note_error(SSL_ERROR_SSL);
  b.rearm(now);
}

std::optional<byte_view> connection::poll_received(time_point now) {
  auto& b = *body_;
  const injected_time::scope scope(now);
  while (b.state == state::connected && b.has_input()) {
    ERR_clear_error();
    const int count =
        SSL_read(b.ssl.get(), b.plaintext.data(), static_cast<int>(b.plaintext.size()));
    if (count > 0) {
      b.fruitful = true;
      return byte_view(b.plaintext).first(static_cast<std::size_t>(count));
    }
    b.note_error(SSL_get_error(b.ssl.get(), count));
    if (b.state != state::connected) b.fruitful = true;
  }
  if (!std::exchange(b.fruitful, true)) ++b.counts.dropped;
  return std::nullopt;
}

bool connection::send(byte_view plaintext) {
  auto& b = *body_;
  if (b.state != state::connected || plaintext.empty()) return false;
  return SSL_write(b.ssl.get(), plaintext.data(), static_cast<int>(plaintext.size())) > 0;
}

void connection::close() {
  auto& b = *body_;
  if (b.state == state::connected) {
    ERR_clear_error();
    SSL_shutdown(b.ssl.get());
  }
  if (b.state != state::failed) b.state = state::closed;
  b.deadline.reset();
}

void connection::set_rtt(duration rtt) {
  body_->config.initial_rtt = rtt;
}
std::optional<batch> connection::poll_transmit() {
  return body_->port.output.pop();
}
std::optional<time_point> connection::next_timeout() const {
  return body_->deadline;
}
state connection::state() const {
  return body_->state;
}
failure connection::why() const {
  return body_->why;
}
std::string connection::detail() const {
  return body_->detail;
}
std::string connection::cipher() const {
  return SSL_get_cipher_name(body_->ssl.get());
}
const fingerprint& connection::peer() const {
  return body_->expected.remote;
}
std::size_t connection::max_plaintext() const {
  return DTLS_get_data_mtu(body_->ssl.get());
}
const counters& connection::counters() const {
  return body_->counts;
}

}  // namespace nat::dtls
