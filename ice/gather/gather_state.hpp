#pragma once

// The inside of gatherer. Its members are spread by concern:
//   gatherer.cpp      the public face
//   gather_state.cpp  sockets, servers, deadlines, the end of gathering
//   reflexive.cpp     Binding requests, what they tell, keeping mappings open
//   relays.cpp        which way a TURN server is asked, and what becomes of it
//   streams.cpp       TURN over TCP and TLS: connections that the caller makes

#include <deque>
#include <list>
#include <vector>

#include "ice/gather/binding_probe.hpp"
#include "ice/gather/gatherer.hpp"
#include "stun/turn/client.hpp"

namespace nat::ice {

struct gather_socket {
  endpoint base;
  std::uint16_t preference = 0;

  std::optional<endpoint> reflexive{};  // reported
  std::size_t reflexive_server = 0;     // who saw it, and where
  endpoint reflexive_seen_at{};
  time_point keepalive_at{};
  std::optional<endpoint> mapped{};  // by a router that was asked to, reported
};

enum class progress : std::uint8_t {
  idle,  // not asked yet: nothing to ask it from, or its turn has not come
  asking,
  done,  // answered; for TURN: allocated
  failed,
};

struct gather_server {
  server what;
  progress state = progress::idle;
  bool reachable = false;         // it has answered something
  std::vector<endpoint> visited;  // by redirection, the first one included
  unsigned restarts = 0;
  // The best explanation so far for why not.
  int code = 0;
  std::string reason{};
  endpoint base{};
  // The connection that was asked for and is not there yet.
  std::uint32_t opening = 0;
  std::optional<time_point> opening_deadline{};
};

// One way of asking one TURN server: from one socket, or over one connection.
struct relay_attempt {
  std::size_t server;
  path via;
  std::uint16_t preference = 0;  // the socket's
  turn::client client;
  time_point started;
  std::uint32_t stream = 0;  // open; 0: UDP, or closed by the other side
  bool challenged = false, approved = false, allocated = false;
  bool retired = false;  // being released; its end is no news
  std::vector<endpoint> relayed{};
};

struct gatherer::state {
  state(gather_config config, random_source& random, time_point now)
      : config_(config), random_(random), started_(now) {}

  // Sockets and servers.
  void add_socket(const endpoint& base, std::uint16_t preference, time_point now);
  void remove_socket(const endpoint& base, time_point now);
  void add_server(const server&, time_point now);
  void report_host(const gather_socket&);
  [[nodiscard]] gather_socket* find_socket(const endpoint& base);
  void fail_server(gather_server&, int code, std::string reason, const endpoint& base);
  void note_failure(gather_server&, int code, std::string reason, const endpoint& base);
  void check_gathered();
  [[nodiscard]] bool anything_pending() const;

  // Server-reflexive candidates.
  void probe(std::size_t server, const gather_socket&, time_point now);
  void start_probe(std::size_t server, const path& via, bool keepalive, time_point now);
  bool handle_binding(const path& from, const stun::message_view&, time_point now);
  void handle_refusal(const binding_probe&, const binding_refusal&, time_point now);
  void note_mapping(std::size_t server, const path& seen_over, const endpoint& mapped,
                    duration took, time_point now);
  void report_reflexive(gather_socket&, const gather_server&, duration took);
  void add_mapped(const endpoint& base, const endpoint& external, const endpoint& gateway,
                  std::string via, duration took);
  [[nodiscard]] bool is_redundant(const endpoint& mapped) const;
  void end_probe(const binding_probe&, int code, std::string reason);
  void probe_timeouts(time_point now);
  void keep_mappings(time_point now);

  // Relays.
  void ask_relay(std::size_t server, time_point now);
  void ask_relay_from(std::size_t server, const gather_socket&, time_point now);
  relay_attempt& attempt(std::size_t server, const path& via, time_point now);
  void pump(std::list<relay_attempt>::iterator, time_point now);
  void handle(relay_attempt&, const turn::challenged&, time_point now);
  void handle(relay_attempt&, const turn::allocated&, time_point now);
  void handle(relay_attempt&, const turn::refused&, time_point now);
  void handle(relay_attempt&, const turn::alternate&, time_point now);
  void handle(relay_attempt&, const turn::permission_refused&, time_point) {}
  void handle(relay_attempt&, const turn::released&, time_point) {}
  void approve_next(std::size_t server, time_point now);
  void drop_rivals(const relay_attempt& winner, time_point now);
  void retire(relay_attempt&, time_point now);
  void reap();

  void restart_relay(std::size_t server, time_point now);
  void give_up_relay(std::size_t server, time_point now);
  [[nodiscard]] bool has_attempt(std::size_t server) const;
  [[nodiscard]] relay_attempt* find_relay(const endpoint& relayed);
  [[nodiscard]] static bool redirect(gather_server&, const endpoint& from, const endpoint& to);

  // Streams.
  void ask_streams(time_point now);
  [[nodiscard]] std::optional<time_point> streams_due() const;
  void open(std::size_t server, time_point now);
  void stream_opened(std::uint32_t id, const path& connection, time_point now);
  void stream_closed(std::uint32_t id, std::string reason, time_point now);
  void stream_timeouts(time_point now);

  // Dropped, as a network would, where the caller has not drained for long.
  void queue(transmit);
  void handle_timeout(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;
  void release(time_point now);

  gather_config config_;
  random_source& random_;
  time_point started_;
  std::vector<gather_socket> sockets_;  // best preference first
  std::vector<gather_server> servers_;
  std::vector<binding_probe> probes_;
  std::list<relay_attempt> relays_;  // a list: clients are held by address while events are pumped
  std::vector<address> permitted_;
  std::vector<mapping_observation> mappings_;
  std::deque<transmit> outbox_;
  std::deque<gather_event> events_;
  std::uint32_t next_stream_ = 1;
  std::optional<time_point> streams_at_;  // when streams are asked unless UDP has answered
  bool servers_ended_ = false, gathered_ = false, releasing_ = false;
};

}  // namespace nat::ice
