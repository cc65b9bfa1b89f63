#pragma once

// TURN client, RFC 8656: one allocation (one or both address families) on one server, over UDP, or
// over a TCP or TLS connection that the caller keeps. No sockets, no clock: the drive loop is that
// of ice/agent.hpp. Over a stream the caller hands in whole messages (stun::stream_message_size)
// and the output is already padded (RFC 8656, 12.5).

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
  duration lifetime = std::chrono::minutes{10};
  std::size_t max_permissions = 64;
  std::size_t max_channels = 32;
};

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
struct alternate {  // 300: try there instead (same credentials)
  endpoint server;
};
struct permission_refused {  // 403: the server will not relay to this address
  address peer;
  int code;
};
struct released {};

using client_event = std::variant<allocated, refused, alternate, permission_refused, released>;

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

  // Permission for a peer's address; sent at once, renewed until release. Idempotent.
  void permit(const address& peer, time_point now);
  // Binds a channel: less overhead for a peer that carries data. Until it is bound, Send
  // indications.
  void bind_channel(const endpoint& peer, time_point now);
  // Wraps and queues. A peer without a permission gets one first (the data goes out right behind
  // the request). False: no allocation of that family, or over a limit.
  bool send(const endpoint& peer, byte_view data, time_point now);
  // As send, in place of a copy through the queue: writes into `out`, which has room for
  // data.size() + overhead; returns what to hand to the server, or nullopt as above.
  static constexpr std::size_t overhead = 56;
  [[nodiscard]] std::optional<byte_view> wrap(const endpoint& peer, byte_view data, byte_span out,
                                              time_point now);
  // Refresh with lifetime 0; `released` follows when the server has confirmed or can't be reached.
  void release(time_point now);

  [[nodiscard]] std::optional<transmit> poll_transmit();
  [[nodiscard]] std::optional<client_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] std::optional<endpoint> relayed(bool v4) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::turn
