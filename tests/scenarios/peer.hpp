#pragma once

// A peer as far as finding a path goes: the gatherer and the ICE agent composed on a simulated
// host, with descriptions and trickled candidates as values in place of signaling messages. Once
// connected it sends small datagrams, so that a scenario sees data arrive, or stop.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ice/agent.hpp"
#include "ice/gather/gatherer.hpp"
#include "tests/sim/world.hpp"

namespace nat::scenarios {

struct description {  // an offer or an answer: what is known when it is written
  ice::credentials credentials;
  std::vector<ice::candidate> candidates;
  bool complete = false;
};
struct end_of_candidates {};
using signal = std::variant<description, ice::candidate, end_of_candidates>;

enum class path_kind : std::uint8_t { none, direct, relay };
[[nodiscard]] const char* to_string(path_kind);
[[nodiscard]] path_kind kind_of(const ice::connected&);

struct peer_options {
  ice::role role = ice::role::controlling;
  ice::agent_config agent;
  ice::gather_config gather;
  std::vector<ice::server> servers;
  duration data_interval = std::chrono::milliseconds{20};
};

class peer final : public sim::node {
 public:
  peer(sim::world&, sim::host&, peer_options);
  ~peer() override;

  // Where signals go; set before start().
  std::function<void(signal)> send_signal;

  void start();  // sockets on every interface, servers asked
  void offer();  // or answer: describes what is known, and trickles from then on
  void take(signal);
  void restart();  // an ICE restart: a new description goes out
  void send_data(bool on) { sending_ = on; }
  void release();
  // The host has a new interface; its address joins.
  void add_interface(const address&);
  void remove_interface(const address&);

  [[nodiscard]] const ice::agent& agent() const { return *agent_; }
  [[nodiscard]] path_kind now_by() const { return now_by_; }
  [[nodiscard]] const std::vector<std::pair<time_point, ice::connected>>& paths() const {
    return paths_;
  }
  [[nodiscard]] bool has_failed() const { return failed_; }
  [[nodiscard]] unsigned disconnections() const { return disconnections_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] time_point last_received() const { return last_received_; }
  // The longest silence between two datagrams that came, since the last reset_gap().
  [[nodiscard]] duration longest_gap() const { return longest_gap_; }
  void reset_gap() { longest_gap_ = {}; }
  [[nodiscard]] const std::vector<ice::found>& found() const { return found_; }
  [[nodiscard]] const std::vector<ice::server_failed>& silent_servers() const { return silent_; }

  void handle_datagram(const path& from, byte_view data, time_point now) override;
  void handle_send_failure(const path&, time_point now) override;
  void handle_stream_opened(const path&, std::uint32_t id, time_point now) override;
  void handle_stream_closed(const path&, std::uint32_t id, time_point now) override;
  void handle_timeout(time_point now) override;
  std::optional<transmit> poll_transmit() override;
  [[nodiscard]] std::optional<time_point> next_timeout() const override;

 private:
  void begin(time_point now);
  void handle_payload(const path& from, byte_view data, time_point now);
  void drain_events(time_point now);
  void handle(ice::gather_event&, time_point now);
  void handle(const ice::event&, time_point now);
  void add_remote(const ice::candidate&, time_point now);
  void send_payload(time_point now);

  sim::world& world_;
  sim::host& host_;
  peer_options options_;
  std::unique_ptr<ice::agent> agent_;  // since there is someone to meet
  ice::gatherer gatherer_;
  bool described_ = false, gathered_ = false, sending_ = true, failed_ = false;
  std::vector<ice::found> found_;
  std::vector<ice::server_failed> silent_;
  std::deque<transmit> outbox_;
  std::optional<time_point> next_data_;
  path_kind now_by_ = path_kind::none;
  std::vector<std::pair<time_point, ice::connected>> paths_;
  unsigned disconnections_ = 0;
  std::uint64_t received_ = 0;
  time_point last_received_{};
  duration longest_gap_{};
};

}  // namespace nat::scenarios
