#pragma once

// One allocation of a load: a client's socket, the peer's, and a channel between them. Requests are
// those of stun/turn/client.hpp.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "stun/turn/client.hpp"
#include "tests/bench/load/datagrams.hpp"

namespace nat::bench {

struct turn_target {
  endpoint server;
  std::string secret;       // of TURN REST credentials
  address peer, client;     // where sockets are bound; the first client's address
  std::size_t per_address;  // allocations of one client address, per_name of one user name: a
  std::size_t per_name;     // server has quotas
};

class turn_flow {
 public:
  // Flow number `n`. `peer` outlives it. `buffer` as of class udp.
  turn_flow(const turn_target&, std::size_t n, const udp& peer, random_source&, int buffer);

  [[nodiscard]] const udp& client() const noexcept { return client_; }
  [[nodiscard]] const udp& peer() const noexcept { return *peer_; }
  [[nodiscard]] bool ready() const { return turn_.channel_bound(peer_at_); }
  [[nodiscard]] endpoint relayed() const { return *turn_.relayed(peer_at_.ip.v4); }

  // What came in answer to requests, and deadlines. Throws std::runtime_error where the server
  // refuses.
  void receive(batch&, time_point now);
  void handle_timeout(time_point now);
  void release(time_point now);

  // The channel's number; once ready.
  [[nodiscard]] std::uint16_t channel(time_point now);

 private:
  void pump();

  udp client_;
  const udp* peer_;
  endpoint peer_at_;
  path via_;
  turn::client turn_;
};

// Adds flows until there are `count` and all are ready, a few at a time. `peer_of(n)` is the peer's
// socket of flow number n, and outlives the flows. Throws std::runtime_error where one can't be
// had.
void establish(std::deque<turn_flow>& flows, std::size_t count, const turn_target&,
               const std::function<const udp&(std::size_t)>& peer_of, random_source&, int buffer);

// Gives all back, without waiting for the answers.
void release(std::deque<turn_flow>& flows);

}  // namespace nat::bench
