#pragma once

// What signaling-server is to ICE: a STUN server and a TURN server on one socket, over UDP and TCP.
// The simulated internet lives in documentation ranges, so the relay allows those.

#include <deque>
#include <map>

#include "stun/server.hpp"
#include "stun/turn/server.hpp"
#include "tests/sim/world.hpp"

namespace nat::sim {

class relay_node final : public node {
 public:
  struct options {
    bool turn = true;
    turn::server_config config = default_config();
    std::uint16_t port = 3478;
  };
  static turn::server_config default_config();

  relay_node(world&, host&, options);

  void handle_datagram(const path& from, byte_view data, time_point now) override;
  void handle_stream_closed(const path&, std::uint32_t, time_point now) override;
  void handle_timeout(time_point now) override { turn_.handle_timeout(now); }
  std::optional<transmit> poll_transmit() override;
  [[nodiscard]] std::optional<time_point> next_timeout() const override {
    return turn_.next_timeout();
  }

  // Answers nothing any more, as a machine that died.
  void kill() { dead_ = true; }
  [[nodiscard]] const turn::server_counters& counters() const { return turn_.counters(); }
  [[nodiscard]] std::uint64_t bindings() const { return bindings_; }
  [[nodiscard]] std::size_t open_relays() const { return relays_.size(); }
  [[nodiscard]] endpoint at(bool v4 = true) const { return {v4 ? host_.v4() : host_.v6(), port_}; }
  // The first user of the default configuration.
  static constexpr std::string_view username = "quiet-otter", password = "brisk heron";

 private:
  void queue(turn::forward);
  void handle_events(time_point now);

  world& world_;
  host& host_;
  std::uint16_t port_;
  bool with_turn_;
  bool dead_ = false;
  turn::server turn_;
  std::map<endpoint, turn::relay_id> relays_;
  std::map<turn::relay_id, endpoint> relay_endpoints_;
  std::deque<transmit> outbox_;
  std::uint64_t bindings_ = 0;
};

}  // namespace nat::sim
