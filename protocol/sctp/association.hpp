#pragma once

// One SCTP association (RFC 9260) as RFC 8831 uses it over DTLS: one path, partial reliability
// (RFC 3758), stream reset (RFC 6525), no multihoming, no ECN, no interleaving. usrsctp does the
// protocol; here it has no sockets, no clock and no threads:
//
//   1. handle_packet(decrypted datagram, now)
//   2. read() until it is empty, or not at all: then the receive window closes
//   3. poll_packet() until it is empty
//   4. handle_timeout(now) when next_timeout() is due
//
// Limits of usrsctp's one stack per process: see stack.hpp.

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/time.hpp"

namespace nat::sctp {

struct association_config {
  std::uint16_t local_port = 5000, remote_port = 5000;
  std::uint16_t streams = 1024;  // asked for each way
  duration initial_rtt = std::chrono::milliseconds{100};
  std::size_t mtu = 1'160;  // bytes of a packet, common header included
  std::size_t send_buffer = 1U << 20, receive_buffer = 1U << 20;
};

// How a message goes.
struct delivery {
  std::uint16_t stream = 0;
  std::uint32_t protocol_id = 0;  // PPID
  bool unordered = false;
  std::optional<std::uint16_t> max_retransmits{}, max_lifetime_ms{};  // at most one of them
};

struct received {  // a message, or a piece of one: pieces of several messages do not mix
  std::uint16_t stream;
  std::uint32_t protocol_id;
  byte_view data;  // until the next call of any association
  bool end;        // the message's last piece
};
struct receive_aborted {};  // the rest of the message being received won't come
struct up {
  std::uint16_t outgoing_streams, incoming_streams;
};
struct streams_reset {
  std::vector<std::uint16_t> streams;
  bool incoming;  // by the peer; else ours, acknowledged
};
struct down {
  enum class reason : std::uint8_t { orderly, aborted_by_peer, timeout, protocol } why;
};

using event = std::variant<received, receive_aborted, up, streams_reset, down>;

struct counters {
  std::uint64_t bad_checksums = 0, malformed = 0, output_overflows = 0, sacks_merged = 0;
};

class association {
 public:
  static constexpr std::size_t max_queued_output = 4U << 20;

  association(association_config, time_point now);
  ~association();
  association(association&&) noexcept;
  association& operator=(association&&) noexcept;

  // Sends INIT. Both ends do; RFC 9260, 5.2.1 makes one association of it.
  void connect(time_point now);
  void handle_packet(byte_view packet, time_point now);
  void handle_timeout(time_point now);

  // Takes as much of `data` as there is room for and says how much. What was not taken must follow
  // before any other message does; `last` is about the end of `data`.
  std::size_t send(const delivery&, byte_view data, bool last, time_point now);
  // Taken by send(), not yet acknowledged.
  [[nodiscard]] std::size_t outstanding(std::uint16_t stream) const;
  [[nodiscard]] std::size_t outstanding() const;

  // After all that was sent on it has been acknowledged.
  void reset_stream(std::uint16_t stream, time_point now);
  void shutdown(time_point now);
  void abort(time_point now);

  [[nodiscard]] std::optional<event> read(time_point now);
  // Valid until the next call of this object.
  [[nodiscard]] std::optional<byte_view> poll_packet();
  [[nodiscard]] std::optional<time_point> next_timeout() const;
  [[nodiscard]] const sctp::counters& counters() const;

 private:
  struct body;
  std::unique_ptr<body> body_;
};

}  // namespace nat::sctp
