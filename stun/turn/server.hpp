#pragma once

// TURN server, RFC 8656, over UDP and TCP clients, IPv4 and IPv6 relays. No sockets, no clock, no
// threads. The caller
//   1. hands in what clients sent (handle_client) and what came to a relayed socket (handle_peer),
//      and at once sends on what either returns: that is the path of data, without a copy,
//   2. drains poll_transmit(): the answers to requests,
//   3. drains poll_event(): relayed sockets to open (answered by relay_opened or relay_failed) and
//      to close,
//   4. sleeps until next_timeout() or the next datagram, and starts over.
// Over TCP and TLS whole messages are handed in (stun::stream_message_size).
//
// Left out on purpose: TCP relays (RFC 6062), mobility (RFC 8016), redirection by 300, the ICMP
// attribute of Data indications. Bindings are not answered here: handle_client says they are not
// ours.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "stun/turn/ledger.hpp"
#include "stun/turn/nonce.hpp"
#include "stun/turn/peer_policy.hpp"

namespace nat::turn {

// Where relayed sockets are bound, and what clients are told (they differ behind a 1:1 NAT).
struct relay_address {
  address bind, announced;
};

struct server_user {
  std::string name, password;
};

struct server_config {
  std::string realm = "rendezvous";
  // TURN REST (rest_credentials.hpp), off where empty; and fixed users.
  std::string rest_secret;
  std::vector<server_user> users;
  std::optional<turn::nonce_key> nonce_key;  // shared by servers on one address; random otherwise
  duration nonce_lifetime = std::chrono::hours{1};

  // Where relayed addresses of each family are. Unset: at the address that the client's request
  // came to, announced as `external_…` where that is set; for clients of the other family, at
  // `fallback_…`, and nowhere without it.
  std::optional<relay_address> v4, v6, fallback_v4, fallback_v6;
  std::optional<address> external_v4, external_v6;
  // Ports and quotas; `books`, where set, in place of `limits`: what several servers share, which
  // outlives them.
  ledger_limits limits;
  ledger* books = nullptr;
  peer_policy peers;

  duration default_lifetime = std::chrono::minutes{10};  // RFC 8656, 3.2
  duration max_lifetime = std::chrono::hours{1};
  duration permission_lifetime = std::chrono::minutes{5};  // RFC 8656, 9
  duration channel_lifetime = std::chrono::minutes{10};    // RFC 8656, 12
  duration reservation_lifetime = std::chrono::seconds{30};

  std::size_t max_permissions = 128;  // of one allocation
  std::size_t max_channels = 64;      // of one allocation
  std::size_t max_outbox = 4096;
  // Answers to unauthenticated requests over UDP, a second and client address.
  unsigned max_challenges_per_second = 100;
};

// Names a relayed socket; reused after it was closed.
using relay_id = std::uint32_t;

struct open_relay {
  relay_id relay;
  endpoint bind;
};
struct close_relay {
  relay_id relay;
};
using server_event = std::variant<open_relay, close_relay>;

// What a client sent, for a peer, from that relayed socket. `data` points into what was handed in.
struct to_peer {
  relay_id relay;
  endpoint peer;
  byte_view data;
  bool dont_fragment;
};
// What a peer sent, for a client: `header`, then `data`, then `padding` zero octets, as one
// datagram or as part of one stream.
struct to_client {
  path via;
  std::array<std::byte, 48> header_octets;
  std::uint8_t header_size;
  std::uint8_t padding;
  byte_view data;
  [[nodiscard]] byte_view header() const noexcept {
    return byte_view(header_octets).first(header_size);
  }
};
using forward = std::variant<std::monostate, to_peer, to_client>;

enum class refusal : std::uint8_t {
  bad_request,          // 400
  unauthenticated,      // 401, a challenge included
  forbidden,            // 403
  unknown_attribute,    // 420
  allocation_mismatch,  // 437
  stale_nonce,          // 438
  family_unsupported,   // 440
  wrong_credentials,    // 441
  transport,            // 442
  peer_family,          // 443
  quota,                // 486
  capacity,             // 508
};
inline constexpr std::size_t refusal_count = 12;
[[nodiscard]] std::string_view to_string(refusal) noexcept;  // for a metric's label

struct server_counters {
  std::uint64_t allocations = 0;  // alive
  std::uint64_t created = 0, expired = 0, released = 0;
  std::uint64_t packets_to_peers = 0, bytes_to_peers = 0;
  std::uint64_t packets_to_clients = 0, bytes_to_clients = 0;
  std::array<std::uint64_t, refusal_count> refused{};
  std::uint64_t malformed = 0;      // bytes that are no message of ours
  std::uint64_t no_allocation = 0;  // data without one
  std::uint64_t no_permission = 0;  // data either way
  std::uint64_t limited = 0;        // answers not sent: challenges, a full outbox
};

class server {
 public:
  // `unix_seconds` is the wall clock's time at `now`, for credentials that expire. `random`
  // outlives the server.
  server(server_config, random_source& random, std::int64_t unix_seconds, time_point now);
  ~server();
  server(server&&) noexcept;
  server& operator=(server&&) noexcept;

  struct result {
    bool ours = false;  // false: not TURN, hand it on
    forward out;
  };
  // `from.local`: the server's address that it was sent to, never a wildcard.
  [[nodiscard]] result handle_client(const path& from, byte_view datagram, time_point now);
  [[nodiscard]] forward handle_peer(relay_id, const endpoint& peer, byte_view data, time_point now);
  void handle_stream_closed(const path& connection, time_point now);
  // Each open_relay is answered once.
  void relay_opened(relay_id, time_point now);
  void relay_failed(relay_id, time_point now);
  void handle_timeout(time_point now);
  // The machine's own addresses, where relayed ports alone are reached; in place of those set
  // before, and of config.peers.own.
  void set_own_addresses(std::vector<address>);
  // The wall clock was set.
  void set_clock(std::int64_t unix_seconds, time_point now);

  [[nodiscard]] std::optional<transmit> poll_transmit();
  [[nodiscard]] std::optional<server_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] const server_counters& counters() const;
  [[nodiscard]] bool has_allocation(const path& client) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::turn
