#pragma once

// One end of a TLS connection (RFC 8446, RFC 5246), by OpenSSL: octets in, octets out.
// No socket and no timers: who waits for a handshake knows how long.
//
//   1. feed(octets)                     what a read gave
//   2. read(scratch, out) until empty   what they decrypt to; the handshake's answers go to `out`
//                                       (a client reads before it feeds: that begins it)
//   3. write(text, out)                 once connected
//   4. state() after reading: closed or failed end it; send what stands in `out` in any case
//
// An idle connection owns no record buffer: `scratch` is the caller's, one for all connections.
// Left out on purpose: renegotiation (TLS 1.2 clients are told no), early data, compression,
// certificates of clients. What the other end may send besides data is counted and ends the
// connection: a handshake of more than max_handshake octets, more than max_control_records of
// anything but data afterwards.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/bytes.hpp"
#include "protocol/tls/client_context.hpp"
#include "protocol/tls/server_context.hpp"

namespace nat::tls {

inline constexpr std::size_t max_record = 16'384;  // octets of plaintext (RFC 8446, 5.1)

enum class state : std::uint8_t {
  handshaking,
  connected,
  closed,  // the other end said close_notify
  failed,
};

enum class failure : std::uint8_t {
  none,
  http,         // an HTTP request in the clear
  not_tls,      // the first octets are no TLS record either
  certificate,  // the server's is not accepted, and it was told by an alert
  protocol,     // and the other end was told by an alert
  flood,        // beyond a limit
};

class connection {
 public:
  static constexpr std::size_t max_handshake = 16'384;
  static constexpr unsigned max_control_records = 32;

  explicit connection(const server_context&);
  explicit connection(const client_context&);
  ~connection();
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;

  // `octets` stay where they are until read() has returned nothing. To feed more before that
  // fails the connection.
  void feed(byte_view octets);
  // `scratch` holds at least max_record octets. The returned ones are its front.
  [[nodiscard]] byte_span read(byte_span scratch, std::string& out);
  // False: not connected.
  bool write(byte_view plaintext, std::string& out);
  // Says close_notify, once.
  void close(std::string& out);

  // Octets of OpenSSL's record buffers that it holds at the moment: from the first octet of a
  // handshake to its end, and for good where it failed; while a record is half there.
  [[nodiscard]] std::size_t held() const noexcept;
  [[nodiscard]] tls::state state() const noexcept;
  [[nodiscard]] failure why() const noexcept;  // where state() is failed
  [[nodiscard]] std::string detail() const;    // of the failure, in a few words
  [[nodiscard]] bool resumed() const;          // by a ticket

 private:
  struct body;
  std::unique_ptr<body> body_;
};

}  // namespace nat::tls
