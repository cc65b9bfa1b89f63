#pragma once

// Sockets of the operating system, and addresses as it writes them.

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "protocol/base/endpoint.hpp"

namespace nat::signaling::io {

class socket_handle {
 public:
  socket_handle() = default;
  explicit socket_handle(int descriptor) noexcept : descriptor_(descriptor) {}
  ~socket_handle() { close(); }
  socket_handle(socket_handle&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  socket_handle& operator=(socket_handle&& other) noexcept {
    if (this != &other) {
      close();
      descriptor_ = std::exchange(other.descriptor_, -1);
    }
    return *this;
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] explicit operator bool() const noexcept { return descriptor_ >= 0; }
  void close() noexcept;

 private:
  int descriptor_ = -1;
};

[[nodiscard]] endpoint local_endpoint(int descriptor) noexcept;

// What a listening socket is for, in the words of an error message.
enum class purpose { websocket, stun, stun_stream, admin };

// Throws startup_error where the address can't be had. Refuses a port that another program listens
// on even where SO_REUSEPORT would let both of them share it. But for admin's, what it accepts
// sends at once (TCP_NODELAY) and resets on close.
[[nodiscard]] socket_handle listen_on(const endpoint&, purpose, bool first);
// Only asks whether a UDP port is free; port 0: for one that is.
endpoint require_free_udp_port(const endpoint&);

// Whether close() ends the connection with a reset: what the kernel still holds for the other end
// is dropped.
void set_reset_on_close(int descriptor, bool) noexcept;

enum class sending : std::uint8_t { done, blocked, failed };
// Sends what stands in `out` after its first `sent` octets, which the kernel has taken before, and
// which are let go of before they outweigh what waits. done: `sent` is 0, and what stands in `out`
// has served its turn. failed: errno says why.
[[nodiscard]] sending send_some(int descriptor, std::string& out, std::size_t& sent);

// One line that says what to do; the program ends with status 2.
struct startup_error {
  std::string message;
  bool unsupported_family = false;  // no IPv6 (or IPv4) on this machine
};

}  // namespace nat::signaling::io
