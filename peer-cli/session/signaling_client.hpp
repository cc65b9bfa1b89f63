#pragma once

// The peer's side of the signaling protocol: registers, keeps the registration over lost
// connections (back-off with jitter, resume), and hands messages both ways. No socket: the driver
// is asked to connect and to send. Drive loop as in ice/agent.hpp.

#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "peer-cli/session/failure.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "protocol/signal/messages.hpp"

namespace nat::session {

struct signaling_config {
  std::string peer_id;
  std::optional<std::string> token;
  duration first_backoff = std::chrono::milliseconds{250};
  duration max_backoff = std::chrono::seconds{15};
  duration register_timeout = std::chrono::seconds{10};
  std::size_t max_queue = 256;  // messages that wait for a lost connection to come back
};

// For the driver.
struct signaling_connect {};
struct signaling_send {
  std::string text;
};
struct signaling_disconnect {};
using signaling_output = std::variant<signaling_connect, signaling_send, signaling_disconnect>;

// For the peer.
struct signaling_ready {
  signal::registered_message registration;
  bool resumed;
};
struct signaling_lost {
  std::string reason;
  duration retry_in;
};
using signaling_event =
    std::variant<signaling_ready, signaling_lost, signal::server_message, failure>;

class signaling_client {
 public:
  signaling_client(signaling_config, random_source&, time_point now);

  void opened(time_point now);
  void received(std::string_view text, time_point now);
  void closed(const std::string& reason, time_point now);
  void handle_timeout(time_point now);

  // Sent once registered; while the connection is away, kept up to max_queue.
  void send(const signal::client_message&);
  // A new registration with fresh relay credentials: reconnects and resumes.
  void refresh(time_point now);
  // No reconnection from here on.
  void stop();
  // The same, and gives the name back: what was sent still goes out, then the connection is closed.
  void leave();

  [[nodiscard]] std::optional<signaling_output> poll_output();
  [[nodiscard]] std::optional<signaling_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const { return deadline_; }
  // From the last registration: about what a message to another peer takes, there and not back.
  [[nodiscard]] std::optional<duration> round_trip() const { return round_trip_; }
  [[nodiscard]] bool registered() const { return state_ == state::registered; }

 private:
  enum class state : std::uint8_t { connecting, registering, registered, waiting, stopped };

  void connect(time_point now);
  void handle_error(const signal::error_message&, time_point now);
  void give_up(failure);

  signaling_config config_;
  random_source& random_;
  state state_ = state::connecting;
  bool was_registered_ = false;
  std::optional<std::string> resume_;
  unsigned attempts_ = 0;
  std::optional<time_point> deadline_;
  time_point asked_{};
  std::optional<duration> round_trip_;
  std::deque<std::string> waiting_;
  std::deque<signaling_output> outputs_;
  std::deque<signaling_event> events_;
};

}  // namespace nat::session
