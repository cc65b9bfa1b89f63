#include "protocol/tls/connection.hpp"

#include <openssl/err.h>

#include "protocol/base/ensure.hpp"
#include "protocol/tls/handles.hpp"
#include "protocol/tls/stream_bio.hpp"

namespace nat::tls {

namespace {

constexpr int application_data = 23;  // RFC 8446, B.1
constexpr std::size_t record_buffer = 17 * 1024;

failure kind_of(int reason, state when) {
  if (when != state::handshaking) return failure::protocol;
  if (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST) return failure::http;
  return reason == SSL_R_WRONG_VERSION_NUMBER ? failure::not_tls : failure::protocol;
}

}  // namespace

struct connection::body {
  explicit body(SSL_CTX*);

  // What OpenSSL said about the last call that went wrong.
  void note(int result);
  void fail(failure, const char* detail);
  static void count_record(int write, int version, int type, const void* data, std::size_t size,
                           SSL*, void* self);

  stream_port port{};
  ssl_ptr ssl;
  const char* detail = "";
  std::size_t handshake_octets = 0;
  unsigned control_records = 0;
  tls::state state = state::handshaking;
  failure why = failure::none;
};

connection::body::body(SSL_CTX* shared) : ssl(SSL_new(shared)) {
  ensure(ssl != nullptr);
  BIO* bio = make_stream_bio(port);
  SSL_set_bio(ssl.get(), bio, bio);
  // A handshake is over soon, and would allocate the record buffers anew for each of its steps.
  SSL_clear_mode(ssl.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_set_msg_callback(ssl.get(), count_record);
  SSL_set_msg_callback_arg(ssl.get(), this);
}

// Called for each record's header, and in TLS 1.3 for the type that was encrypted with it.
void connection::body::count_record(int write, int, int type, const void* data, std::size_t size,
                                    SSL*, void* self) {
  auto& b = *static_cast<body*>(self);
  if (write || b.state != state::connected || size == 0) return;
  if (type != SSL3_RT_HEADER && type != SSL3_RT_INNER_CONTENT_TYPE) return;
  if (*static_cast<const unsigned char*>(data) == application_data) return;
  if (++b.control_records > max_control_records) b.port.input = {};  // no further
}

void connection::body::fail(failure reason, const char* words) {
  state = state::failed;
  why = reason;
  detail = words;
}

void connection::body::note(int result) {
  const int error = SSL_get_error(ssl.get(), result);
  if (error == SSL_ERROR_WANT_READ) return;
  if (error == SSL_ERROR_ZERO_RETURN) {
    state = state::closed;
    return;
  }
  if (const auto verdict = SSL_get_verify_result(ssl.get()); verdict != X509_V_OK) {
    return fail(failure::certificate, X509_verify_cert_error_string(verdict));
  }
  const auto code = ERR_peek_last_error();
  const auto reason = ERR_GET_REASON(code);
  const char* words = ERR_reason_error_string(code);
  fail(kind_of(reason, state), words ? words : "protocol error");
}

connection::connection(const server_context& shared)
    : body_(std::make_unique<body>(shared.native().context.get())) {
  SSL_set_accept_state(body_->ssl.get());
}

connection::connection(const client_context& shared)
    : body_(std::make_unique<body>(shared.native().context.get())) {
  auto* ssl = body_->ssl.get();
  SSL_set_connect_state(ssl);
  const auto& name = shared.native().name;
  ensure(name.empty() || SSL_set_tlsext_host_name(ssl, name.c_str()) == 1);
}

connection::~connection() = default;
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;

void connection::feed(byte_view octets) {
  auto& b = *body_;
  if (!b.port.input.empty()) b.fail(failure::protocol, "records were left out");
  b.port.input = octets;
  if (b.state == state::handshaking) b.handshake_octets += octets.size();
}

byte_span connection::read(byte_span scratch, std::string& out) {
  auto& b = *body_;
  ensure(scratch.size() >= max_record);
  if (b.state == state::failed || b.state == state::closed) return {};
  b.port.output = &out;
  ERR_clear_error();
  const int n = SSL_read(b.ssl.get(), scratch.data(), static_cast<int>(max_record));
  if (n <= 0) b.note(n);
  b.port.output = nullptr;
  if (b.state == state::handshaking) {
    if (SSL_is_init_finished(b.ssl.get()) == 1) {
      b.state = state::connected;
      SSL_set_mode(b.ssl.get(), SSL_MODE_RELEASE_BUFFERS);
      (void)SSL_free_buffers(b.ssl.get());  // but for a record that is half there
    } else if (b.handshake_octets > max_handshake) {
      b.fail(failure::flood, "the handshake is too long");
    }
  }
  if (b.control_records > max_control_records) {
    b.fail(failure::flood, "too many records that carry no data");
  }
  if (b.state == state::failed || n <= 0) return {};
  return scratch.first(static_cast<std::size_t>(n));
}

bool connection::write(byte_view plaintext, std::string& out) {
  auto& b = *body_;
  if (b.state != state::connected) return false;
  if (plaintext.empty()) return true;
  b.port.output = &out;
  ERR_clear_error();
  std::size_t written = 0;
  const int done = SSL_write_ex(b.ssl.get(), plaintext.data(), plaintext.size(), &written);
  if (done != 1) b.note(done);
  b.port.output = nullptr;
  return done == 1;
}

void connection::close(std::string& out) {
  auto& b = *body_;
  if (b.state != state::connected && b.state != state::closed) return;
  if ((SSL_get_shutdown(b.ssl.get()) & SSL_SENT_SHUTDOWN) != 0) return;  // twice would read
  b.port.output = &out;
  ERR_clear_error();
  (void)SSL_shutdown(b.ssl.get());
  b.port.output = nullptr;
}

std::size_t connection::held() const noexcept {
  if (body_->handshake_octets == 0) return 0;  // none has been needed yet
  if (SSL_is_init_finished(body_->ssl.get()) == 0) return 2 * record_buffer;
  return SSL_has_pending(body_->ssl.get()) == 1 ? record_buffer : 0;
}

state connection::state() const noexcept {
  return body_->state;
}
failure connection::why() const noexcept {
  return body_->why;
}
std::string connection::detail() const {
  return body_->detail;
}
bool connection::resumed() const {
  return SSL_session_reused(body_->ssl.get()) == 1;
}

}  // namespace nat::tls
