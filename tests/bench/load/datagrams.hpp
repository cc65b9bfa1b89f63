#pragma once

// UDP for load generators: batches by recvmmsg, and by sendmmsg or UDP_SEGMENT. A server must see
// what a network card would deliver, every datagram on its own: UDP_SEGMENT is for devices that
// split, which loopback and veth do only once told to (README.md).

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <netinet/in.h>
#include <sys/socket.h>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"

namespace nat::bench {

// A non-blocking UDP socket. Throws std::system_error.
class udp {
 public:
  // `buffer`: octets of the kernel's buffer each way; 0: the system's default.
  explicit udp(const endpoint& local, int buffer = 0);
  ~udp();
  udp(udp&&) noexcept;
  udp& operator=(udp&&) = delete;

  // Sends there and hears nobody else.
  void connect(const endpoint& remote);
  [[nodiscard]] endpoint local() const;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

// The datagrams of one system call, either way.
class batch {
 public:
  static constexpr std::size_t capacity = 64, max_size = 2048;

  // `segmented`: datagrams of one size go out by UDP_SEGMENT, a third of the cost.
  explicit batch(bool segmented = false);

  // What is there, `capacity` at most; 0: nothing. Replaces what the batch held. An ICMP error that
  // the socket has heard counts as nothing.
  std::size_t receive(const udp&);
  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  [[nodiscard]] byte_view operator[](std::size_t i) const;

  // To be filled in, at most `capacity` between two sends; only to connected sockets.
  [[nodiscard]] byte_span add(std::size_t size);
  // Hands all to the kernel and empties the batch; how many it took.
  std::size_t send(const udp&);
  // Received datagrams, each to where it came from; segmented: to where the socket is connected.
  std::size_t send_back(const udp&);

 private:
  using datagram = std::array<std::byte, max_size>;

  [[nodiscard]] bool alike() const;
  std::size_t send_segmented(const udp&);

  bool segmented_;
  std::size_t used_ = 0;
  std::unique_ptr<std::array<datagram, capacity>> octets_;
  std::array<iovec, capacity> spans_{};
  std::array<sockaddr_in6, capacity> sources_{};
  std::array<mmsghdr, capacity> headers_{};
};

// Which sockets have something to read, by the numbers they were added with.
class readiness {
 public:
  readiness();
  ~readiness();
  readiness(const readiness&) = delete;

  void add(const udp&, std::uint64_t number);
  // Waits no longer than `timeout_ms`; 0: looks only.
  template <class F>
  void wait(int timeout_ms, F on_readable) {
    const auto count = collect(timeout_ms);
    for (std::size_t i = 0; i < count; ++i) on_readable(numbers_[i]);
  }

 private:
  std::size_t collect(int timeout_ms);

  int descriptor_;
  std::array<std::uint64_t, 256> numbers_{};
};

}  // namespace nat::bench
