#pragma once

// TURN client, RFC 8656: one allocation (one or both address families) on one server, over UDP, or
// over a TCP or TLS connection that the caller keeps. No sockets, no clock: the drive loop is that
// of ice/agent.hpp. Over a stream the caller hands in whole messages (stun::stream_message_size)
// and the output is already padded (RFC 8656, 12.5).
// Left out on purpose: EVEN-PORT and RESERVATION-TOKEN (one component needs one port), ICMP
// reports, TCP relaying (RFC 6062), mobility (RFC 8016), third-party authorization (RFC 7635).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"

namespace nat::turn {

enum class families : std::uint8_t { v4, v6, both };

struct client_config {
  path server;  // proto: how the server is reached; local: our door; remote: the server
  std::string username, password;
  families wanted = families::v4;
  bool dont_fragment = false;
  // Stop after the server's challenge, which costs it nothing and tells that it is there, until
  // approve(): for a caller that asks by several ways and wants one allocation.
  bool await_approval = false;
  duration lifetime = std::chrono::minutes{10};
  // Idle time after which a NAT between us and the server is kept open by an indication; UDP only.
  duration keepalive = std::chrono::seconds{15};

  // How long a request waits: 0, 250, 750, 1750, 3750, 7750 ms, and up at 8250 ms; shorter once the
  // round trip is known. Over a stream it is sent once.
  duration initial_rto = std::chrono::milliseconds{250};
  duration min_rto = std::chrono::milliseconds{100};
  unsigned max_sends = 6;
  duration reliable_wait = std::chrono::seconds{8};

  std::size_t max_permissions = 64;
  std::size_t max_channels = 32;
  std::size_t max_events = 256;   // refused permissions beyond it, undrained, go unsaid
  std::size_t max_outbox = 1024;  // transmits that wait for poll_transmit(); data beyond is refused
};

struct challenged {};  // the server is there; only with await_approval
struct allocated {
  endpoint relayed;  // one event for each family
  endpoint mapped;   // our address as the server sees it
  duration lifetime;
  duration rtt;
};
struct refused {       // the allocation can't be had, or was lost; the client is finished
  int code;            // the STUN error code, 0: no answer, -1: the connection closed
  std::string reason;  // what to tell a person
};
struct alternate {  // 300: try there instead (same credentials); the client is finished
  endpoint server;
  std::string domain;  // ALTERNATE-DOMAIN, the name that TLS verifies; may be empty
};
struct permission_refused {  // the server will not relay to this address; the rest goes on
  address peer;
  int code;  // 403, 443, 508 …; 0: no answer, or our own limit
  std::string reason;
};
struct released {};

using client_event =
    std::variant<challenged, allocated, refused, alternate, permission_refused, released>;

// What came in and was dropped.
struct client_counters {
  std::uint64_t malformed = 0, unauthenticated = 0, unexpected = 0;
};

// What a peer sent through the allocation. `data` points into the datagram that was handed in.
struct relayed_data {
  endpoint relayed;
  endpoint peer;
  byte_view data;
};

class client {
 public:
  client(client_config, random_source&, time_point now);  // sends the first Allocate at once
  ~client();
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;

  struct consumed {
    bool ours = false;                 // false: hand the datagram to the next protocol
    std::optional<relayed_data> data;  // payload, where it was a Data indication or ChannelData
  };
  consumed handle_datagram(const path& from, byte_view datagram, time_point now);
  void handle_timeout(time_point now);
  void handle_stream_closed(time_point now);

  // Goes on after `challenged`.
  void approve(time_point now);

  // Permission for a peer's address; sent at once, renewed until release. Idempotent.
  void permit(const address& peer, time_point now);
  // Binds a channel: less overhead for a peer that carries data. Until it is bound, Send
  // indications.
  void bind_channel(const endpoint& peer, time_point now);
  // Wraps and queues. A peer without a permission gets one first: the data goes out right behind
  // the request, and once more when the request had to be repeated. False: no allocation of that
  // family, the peer is refused, or over a limit. With `segment_size`, `data` is several datagrams
  // as in nat::transmit, and so is what comes out: its segments grow by the wrapping, alike.
  bool send(const endpoint& peer, byte_view data, time_point now, std::uint16_t segment_size = 0);
  // As send, in place of a copy through the queue: writes into `out`, which has room for
  // data.size() + overhead; returns what to hand to the server, or nullopt as above. Drain
  // poll_transmit() first: a permission that the data needs may be among what it holds.
  static constexpr std::size_t overhead = 56;
  [[nodiscard]] std::optional<byte_view> wrap(const endpoint& peer, byte_view data, byte_span out,
                                              time_point now);
  // Refresh with lifetime 0; `released` follows when the server has confirmed or can't be reached.
  void release(time_point now);

  [[nodiscard]] std::optional<transmit> poll_transmit();
  [[nodiscard]] std::optional<client_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] std::optional<endpoint> relayed(bool v4) const;
  [[nodiscard]] bool channel_bound(const endpoint& peer) const;
  [[nodiscard]] bool finished() const;  // refused, redirected or released: nothing more comes
  [[nodiscard]] const client_counters& counters() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::turn
