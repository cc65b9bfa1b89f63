#pragma once

// One TCP connection's octets, in the clear or through TLS, on a socket that never blocks. Who owns
// a byte_stream asks it to read when the socket is ready, and appends to out() what is to be sent.

#include <memory>
#include <string>

#include "protocol/base/bytes.hpp"
#include "protocol/tls/connection.hpp"
#include "signaling/io/sockets.hpp"
#include "signaling/io/workspace.hpp"

namespace nat::signaling::io {

class byte_stream {
 public:
  // The socket resets on close, as those that listen_on()'s accept do.
  explicit byte_stream(socket_handle socket) noexcept : socket_(std::move(socket)) {}

  // TLS from here on, and in `already_read`, which next() gave before anything else was read.
  void secure(const tls::server_context&, byte_view already_read = {});
  // What the client says is no TLS: answer it in the clear.
  void give_up_tls() noexcept { tls_.reset(); }

  struct reading {
    std::size_t size = 0;  // octets off the wire
    bool ended = false;
    bool more = false;  // there may be more at once
  };
  // Reads once; not at all where TLS shakes hands and the batch of events has had its share of
  // that: the socket stays ready for the next one. next() gives what came until it is empty, before
  // any other byte_stream of the loop reads; what is not asked for is lost, and so is what comes
  // after end().
  [[nodiscard]] reading receive(workspace&);
  [[nodiscard]] byte_span next(workspace&);
  // TLS has come to an end, in order or not; nothing can be read or written.
  [[nodiscard]] bool tls_ended() const noexcept;
  [[nodiscard]] tls::failure tls_failure() const noexcept;
  [[nodiscard]] std::string tls_detail() const;
  [[nodiscard]] bool secured() const noexcept { return tls_ != nullptr; }

  [[nodiscard]] std::string& out() noexcept { return out_; }
  // Once all is sent, the other end is told that no more comes.
  void end() noexcept { ending_ = true; }
  using sending = io::sending;
  [[nodiscard]] sending flush(workspace&);
  [[nodiscard]] std::size_t waiting() const noexcept;
  // The same, and what TLS holds of a handshake or of a record that is half there.
  [[nodiscard]] std::size_t kept() const noexcept;

  void close() noexcept;  // with a reset, unless the end was told
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }

 private:
  struct tls_part {
    explicit tls_part(const tls::server_context& c) : session(c) {}
    tls::connection session;
    std::string out{};  // records
  };
  [[nodiscard]] bool seal(workspace&);
  [[nodiscard]] bool handshaking() const noexcept;

  socket_handle socket_;
  std::unique_ptr<tls_part> tls_;
  std::string out_;
  std::size_t sent_ = 0;  // octets at the front of what is sent that the kernel has taken
  bool ending_ = false, shut_ = false;
};

}  // namespace nat::signaling::io
