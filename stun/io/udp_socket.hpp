#pragma once

// A UDP socket that receives and sends in batches: recvmmsg and UDP_GRO in, sendmmsg and
// UDP_SEGMENT out, with the address that a datagram was sent to (IP_PKTINFO) and a TTL for a single
// datagram. Non-blocking; on the executor's thread only. A datagram that the kernel does not take
// is lost, as on any network, and counted; ICMP errors are reported with the destination they
// concern (IP_RECVERR).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "stun/io/udp_descriptor.hpp"

namespace nat::stun::io {

class udp_socket {
 public:
  // Throws boost::system::system_error where the address can't be bound. Port 0: any.
  udp_socket(boost::asio::any_io_executor, const endpoint& local, udp_options = {});
  ~udp_socket();
  udp_socket(udp_socket&&) noexcept;
  udp_socket& operator=(udp_socket&&) noexcept;

  [[nodiscard]] endpoint local() const;  // as bound, with the real port
  // For a datagram that needs what endpoints don't carry: the scope of a link-local address.
  [[nodiscard]] int native_handle() const;

  // `datagrams`: one, or several of `segment_size` bytes back to back (the last may be shorter)
  // that the kernel coalesced; segment_size is the size of one, data.size() for one. `destination`:
  // the local address it was sent to (differs from local() on a wildcard bind).
  struct received {
    endpoint from;
    address destination;
    byte_view data;
    std::size_t segment_size;
  };
  // Called for every batch element; `on_idle` after each burst: the moment to pump outputs.
  // One call starts the endless loop; it ends with the socket.
  void start(std::function<void(const received&)> on_datagram, std::function<void()> on_idle,
             std::function<void(const endpoint& destination, int error_number)> on_error);

  // Queues; flush() or a full queue hands all to the kernel in one go. `source`: reply from this
  // address on a wildcard bind.
  void send(const endpoint& to, byte_view data, std::uint16_t segment_size = 0,
            std::optional<std::uint8_t> hop_limit = {}, std::optional<address> source = {});
  void flush();
  // True while the kernel's buffer is full; `on_writable` is called once when it has room again.
  [[nodiscard]] bool congested() const;
  void when_writable(std::function<void()> on_writable);

  struct counters {
    std::uint64_t received = 0, sent = 0, dropped = 0;
  };
  [[nodiscard]] const counters& stats() const;

  void close();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace nat::stun::io
