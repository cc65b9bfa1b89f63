#pragma once

// Two peers, each behind what a scenario says, a STUN and TURN server on the internet, and
// signaling between the peers that takes its time. Delays are those of the bench that
// the design's figures come from: 40 ms between the peers and back, 30 ms to the server and back,
// 20 ms through signaling one way.

#include <memory>
#include <string>

#include "tests/scenarios/peer.hpp"
#include "tests/sim/relay_node.hpp"

namespace nat::scenarios {

// Where a peer is.
struct place {
  sim::nat_rules nat{};
  bool open = false;  // no NAT: on the internet itself
  bool v4 = true, v6 = false;
  unsigned dead_bridges = 0;
  std::optional<sim::nat_rules> carrier{};  // a carrier-grade NAT in front
  std::uint32_t inner_prefix = 0;           // of the LAN, a /24; 0: one of its own
  sim::link_rules link{.delay = std::chrono::milliseconds{10}};
};

struct meeting_options {
  std::uint64_t seed = 1;
  place left{}, right{};
  bool stun = true, turn = false;
  transport turn_transport = transport::udp;
  bool v6_server = false;
  bool one_lan = false;      // the right peer sits in the left one's LAN
  bool one_carrier = false;  // or behind the left one's carrier-grade NAT
  duration head_start{};     // of the right peer, which waits for the offer
  duration signaling = std::chrono::milliseconds{20};
  duration signaling_jitter{};  // messages overtake each other
  duration server_delay = std::chrono::milliseconds{5};
  bool openers = true;
  // Signals on their way: what becomes of one, and how much later each copy arrives.
  std::function<std::vector<std::pair<duration, signal>>(const signal&)> mangle{};
};

struct result {
  path_kind path = path_kind::none;
  duration took{};  // from the offer until both can send data
};

class meeting {
 public:
  explicit meeting(meeting_options);

  // Starts both; runs until both are connected and data has come both ways, or `limit` is over.
  result connect(duration limit = std::chrono::seconds{40});
  void start();
  // Until both are on such a path and hear each other on it.
  bool settle(path_kind, duration limit);
  [[nodiscard]] bool hear_each_other() const;

  sim::world world;
  meeting_options options;
  sim::relay_node* server = nullptr;
  sim::router *left_gate = nullptr, *right_gate = nullptr;
  sim::host *left_host = nullptr, *right_host = nullptr;
  std::unique_ptr<peer> left, right;

  // Seed, candidates and pairs: for doctest's INFO.
  [[nodiscard]] std::string story() const;

 private:
  sim::host& settle_in(const place&, sim::router*& gate);
  sim::network& carrier_for(const place&);
  std::unique_ptr<peer> make_peer(sim::host&, ice::role);
  void wire(peer& from, std::unique_ptr<peer>& to);

  std::unique_ptr<sim::relay_node> server_;
  sim::network* carrier_ = nullptr;  // the one that both are behind
  time_point offered_{};
};

}  // namespace nat::scenarios
