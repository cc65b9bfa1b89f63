#pragma once

// Finds this host's candidates (RFC 8445, 5.1.1): asks every STUN and TURN server from every socket
// at once, and owns the allocations that result. Nothing here ever blocks anything: candidates come
// as events when they are known, a dead server is an event of its own. Same drive loop as
// ice/agent.hpp.
//
// It sits between the sockets and the agent: datagrams come here first (what a relay carried comes
// out unwrapped, with the relayed address as the door), and what the agent sends from a relayed
// address goes through send() to be wrapped.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ice/candidate.hpp"
#include "ice/gather/mapping.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"

namespace nat::ice {

// A server as a URL names it (RFC 7064, 7065), its host resolved by the caller.
struct server {
  std::string url;  // as announced: for reports
  enum class kind : std::uint8_t { stun, turn } what = kind::stun;
  transport proto = transport::udp;
  bool tls = false;
  std::string host{};  // for TLS verification
  endpoint address;
  std::string username{}, password{};
};

struct gather_config {
  std::size_t max_servers = 16;
  std::size_t max_sockets = 32;
  std::size_t max_permitted = 64;  // remote addresses, on every allocation
  // Sends at 0, 250, 750, 1750, 3750, 7750 ms, given up at 8250 ms.
  std::size_t max_events = 1024;  // mappings that move beyond it, undrained, go unsaid
  std::size_t max_outbox = 1024;  // transmits that wait for poll_transmit()
  duration stun_initial_rto = std::chrono::milliseconds{250};
  unsigned stun_max_sends = 6;
  // TURN over TCP and TLS is for where UDP does not get out: asked when no TURN server over UDP has
  // answered for so long, or none is given.
  duration stream_delay = std::chrono::milliseconds{300};
  duration stream_timeout = std::chrono::seconds{8};  // to connect
  duration keepalive = std::chrono::seconds{15};  // of a server-reflexive mapping nobody uses yet
  bool relay_only =
      false;  // --policy relay: report no other candidates (sockets are used all the same)
  bool no_relay = false;  // --policy direct
  bool relay_v6 = true;   // ask for IPv6 too where the server gives it
};

struct found {
  candidate what;
  std::string via;  // the server's URL, "pcp:GATEWAY" and the like, empty for host candidates
  duration took;    // since the server was asked
};
// Once a server, when the last way of asking it is used up.
struct server_failed {
  std::string url;
  endpoint base;  // asked from here last
  int code;       // as turn::refused
  std::string reason;
};
// The caller connects (TCP, or TLS with verification of `host`) and answers with stream_opened or
// stream_closed.
struct open_stream {
  std::uint32_t id;
  endpoint remote;
  bool tls;
  std::string host;
};
struct close_stream {
  path via;
};
struct gathered {};  // every server has answered or been given up; more may still be added
// An allocation came to its end: the relayed candidate with this base is gone
// (ice::agent::remove_local). A new one is asked for, at most max_restarts times a server.
struct lost {
  endpoint base;
};

using gather_event = std::variant<found, server_failed, open_stream, close_stream, gathered, lost>;

class gatherer {
 public:
  gatherer(gather_config, random_source&, time_point now);
  ~gatherer();
  gatherer(gatherer&&) noexcept;
  gatherer& operator=(gatherer&&) noexcept;

  // A bound socket on one interface; its host candidate is reported at once. `local_preference` as
  // in candidate_priority. Servers are asked from each socket of their family.
  void add_socket(const endpoint& base, std::uint16_t local_preference, time_point now);
  void remove_socket(const endpoint& base, time_point now);
  void add_server(const server&, time_point now);
  void end_of_servers(time_point now);  // `gathered` may come from here on
  // What a router has mapped to the socket `base` (ice/portmap): a server-reflexive candidate,
  // unless it is one already. `via` is told with it.
  void add_mapped(const endpoint& base, const endpoint& external, const endpoint& gateway,
                  std::string via, duration took);

  void stream_opened(std::uint32_t id, const path& connection, time_point now);
  void stream_closed(std::uint32_t id, std::string reason, time_point now);

  struct consumed {
    bool ours = false;
    // Payload that came through a relay; from.local is the relayed address, data points into the
    // datagram that was handed in.
    std::optional<path> from;
    byte_view data;
  };
  consumed handle_datagram(const path& from, byte_view datagram, time_point now);
  void handle_timeout(time_point now);
  void handle_send_failure(const path&, time_point now);

  [[nodiscard]] bool is_relayed(const endpoint& local) const;
  // Whether permit() and send() would ask for this peer at all; false for pairs not worth forming.
  [[nodiscard]] bool may_relay(const endpoint& relayed, const address& peer) const;
  // via.local is a relayed address of ours. Keeps segment_size semantics: each segment is wrapped.
  bool send(const transmit&, time_point now);
  // Asks for permission towards a remote candidate, before any check needs it. Never for private,
  // loopback or link-local peers unless the server's own address is of that kind (lab, LAN).
  void permit(const address& peer, time_point now);
  void bind_channel(const path& via, time_point now);
  // Gives allocations back; poll_transmit has the Refresh requests. `done` once all are answered.
  void release(time_point now);
  [[nodiscard]] bool released() const;

  // What servers saw of our sockets, one for each (base, server) that answered: two servers that
  // saw the same base differently prove a NAT with address-dependent mapping.
  [[nodiscard]] const std::vector<mapping_observation>& mappings() const;

  [[nodiscard]] std::optional<transmit> poll_transmit();
  [[nodiscard]] std::optional<gather_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::ice
