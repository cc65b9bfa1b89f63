#pragma once

// The TURN server of one event loop: drives turn::server with relayed sockets on the loop's poller.
// What a socket's burst brings is handed on from the receive buffers, without a copy, before the
// next burst. Clients' own sockets and connections are somebody else's: the client_door.

#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/base/random.hpp"
#include "signaling/io/poller.hpp"
#include "stun/io/gather_queue.hpp"
#include "stun/turn/server.hpp"

namespace nat::signaling::io {

// Where what the server has for a client goes out, by the transport of its path.
class client_door {
 public:
  virtual ~client_door() = default;
  // Relayed data; what it points to is valid until the loop's gather_queue is flushed.
  virtual void forward(const turn::to_client&) = 0;
  virtual void answer(const transmit&) = 0;
};

class relay_service {
 public:
  // `queue`, `door` and `now` (the time at the start of the loop's current batch) outlive it. On
  // start() and every tick the machine's own addresses are read.
  relay_service(poller&, stun::io::gather_queue& queue, client_door& door, const time_point& now,
                turn::server_config, random_source&);
  ~relay_service();

  // What a client sent. False: it is not TURN. The queue is the caller's to flush, before `message`
  // changes.
  bool handle_client(const path& from, byte_view message);
  void handle_stream_closed(const path& connection);
  [[nodiscard]] bool has_allocation(const path& client) const {
    return server_.has_allocation(client);
  }
  void tick(std::int64_t unix_seconds);

  [[nodiscard]] const turn::server_counters& stats() const { return server_.counters(); }
  // Relayed ports that the system would not open.
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

 private:
  class socket;

  void handle_peers(socket&);
  void carry_out(const turn::forward&);
  void send_to_peer(const turn::to_peer&);
  void pump();
  void open(const turn::open_relay&);
  void close(turn::relay_id);

  poller& poller_;
  stun::io::gather_queue& queue_;
  client_door& door_;
  const time_point& now_;
  turn::server server_;
  std::vector<std::unique_ptr<socket>> sockets_;  // by relay_id
  // Ended within a batch of the poller, which may still name them.
  std::vector<std::unique_ptr<socket>> ended_;
  std::uint64_t failed_ = 0;
  time_point own_addresses_read_{};
};

}  // namespace nat::signaling::io
