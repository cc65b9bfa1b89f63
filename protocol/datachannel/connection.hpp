#pragma once

// The encrypted channel over any datagram path: DTLS 1.2 (RFC 8261), SCTP (RFC 8831) and data
// channels with DCEP (RFC 8832), composed. No sockets, no clock; the drive loop is that of
// ice/agent.hpp. It does not know the path: the caller hands in what came over a checked one and
// sends what comes out over the selected one.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "protocol/base/bytes.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "protocol/dtls/certificate.hpp"
#include "protocol/dtls/connection.hpp"

namespace nat::datachannel {

using dtls_role = dtls::role;

struct connection_config {
  dtls_role role = dtls_role::client;  // a=setup: active is client
  dtls::fingerprint remote;            // what the peer's certificate must hash to
  std::uint16_t local_sctp_port = 5000, remote_sctp_port = 5000;
  std::size_t remote_max_message_size = 65'536;           // RFC 8841, 6.1: 0 means any
  std::size_t max_message_size = 262'144;                 // largest we take
  duration initial_rtt = std::chrono::milliseconds{100};  // measured by ICE: timers start from it
  std::size_t mtu = 1'200;                                // bytes of a datagram of ours
  std::size_t send_buffer = 1U << 20;
  std::size_t receive_buffer = 1U << 20;
  std::size_t max_channels = 64;
};

using channel_id = std::uint16_t;

struct channel_options {
  std::string label{}, protocol{};
  bool ordered = true;
  std::optional<std::uint16_t> max_retransmits{};
  std::optional<std::uint16_t> max_lifetime_ms{};
  bool operator==(const channel_options&) const = default;
};

struct secured {  // DTLS is up and the peer's certificate is the expected one
  std::string cipher;
  dtls::fingerprint peer;
};
struct established {};   // SCTP is up: channels may be opened (they may be asked for before)
struct channel_opened {  // by the peer, or ours was acknowledged
  channel_id id;
  channel_options options;
  bool by_peer;
};
struct message {
  channel_id id;
  bool binary;
  bytes data;
};
struct channel_closed {
  channel_id id;
};
struct writable {  // after send() returned false: there is room again
  channel_id id;
};
struct closed {};  // the peer ended the connection in order
enum class failure : std::uint8_t { fingerprint_mismatch, handshake, timeout, protocol };
struct failed {
  failure why;
  std::string detail;  // completes "failed to …" for a person
};

using event = std::variant<secured, established, channel_opened, message, channel_closed, writable,
                           closed, failed>;

using batch = dtls::batch;  // several datagrams of one size back to back: one UDP_SEGMENT send

class connection {
 public:
  // `own` outlives the connection.
  connection(connection_config, const dtls::certificate& own, random_source&, time_point now);
  ~connection();
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;

  void handle_datagram(byte_view datagram, time_point now);
  void handle_timeout(time_point now);

  // DCEP OPEN goes out as soon as the association is up. nullopt: over max_channels.
  std::optional<channel_id> open(const channel_options&, time_point now);
  // Queues one message. False: no room (then `writable` follows), not open, or larger than the peer
  // takes. An empty message is sent as RFC 8831, 6.6 says.
  bool send(channel_id, byte_view data, bool binary, time_point now);
  [[nodiscard]] std::size_t buffered(channel_id) const;  // accepted by send(), not yet acknowledged
  // Stops taking messages from the association, so that its window closes and the sender waits.
  // Events from the next message on are held back with it, so that their order stays.
  void pause(time_point now);
  void resume(time_point now);
  void close(channel_id,
             time_point now);     // stream reset, RFC 8831, 6.7; after what is queued is sent
  void shutdown(time_point now);  // orderly end of everything; `closed` follows
  void abort(time_point now);     // the end at once, and the peer is told; `closed` follows
  // The peer has ended the connection in order. `closed` follows once all that it sent before has
  // been taken, which a pause() can put off for long; the path is of no use any more.
  [[nodiscard]] bool ended_by_peer() const;

  // The round trip is known better; or the path changed.
  void set_rtt(duration, time_point now);

  [[nodiscard]] std::optional<batch> poll_transmit();
  [[nodiscard]] std::optional<event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::datachannel
