#pragma once

// The peer's side of the signaling protocol: registers, keeps the registration over lost
// connections (back-off with jitter, resume), and hands messages both ways. No socket, no file: the
// driver is asked to connect and to send, and brings the token. Drive loop as in ice/agent.hpp.
//
// At most three connections at a time: the one that is registered, one that is to take its place,
// and the one before, which may still bring what was on its way.

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
  duration first_backoff = std::chrono::milliseconds{250};
  duration max_backoff = std::chrono::seconds{15};
  duration register_timeout = std::chrono::seconds{10};
  std::size_t max_queue = 256;  // messages that wait for a lost connection to come back
};

// What to register by, as it is when a connection opens.
struct signaling_token {
  std::optional<std::string> text;
  std::string trouble;  // not empty: why it could not be read again, and is that of before
};

using signaling_id = std::uint32_t;  // of a connection; never used twice

// For the driver.
struct signaling_connect {  // -> opened or closed
  signaling_id id;
};
struct signaling_send {
  signaling_id id;
  std::string text;
};
struct signaling_disconnect {  // what was sent still goes out; nothing more is heard of it
  signaling_id id;
};
using signaling_output = std::variant<signaling_connect, signaling_send, signaling_disconnect>;

// For the peer.
struct signaling_ready {
  signal::registered_message registration;
  bool again;
  bool after_loss;  // there was a time without a connection: messages may be lost
};
struct signaling_lost {  // of refusals that follow each other, each code is told once
  std::string reason;
  duration retry_in;
};
struct signaling_not_refreshed {  // the registration stands as it was; each reason is told once
  std::string reason;
};
using signaling_event = std::variant<signaling_ready, signaling_lost, signaling_not_refreshed,
                                     signal::server_message, failure>;

class signaling_client {
 public:
  signaling_client(signaling_config, random_source&, time_point now);

  void opened(signaling_id, const signaling_token&, time_point now);
  void received(signaling_id, std::string_view text, time_point now);
  void closed(signaling_id, const std::string& reason, time_point now);
  void handle_timeout(time_point now);

  // Sent once registered; while the connection is away, kept up to max_queue.
  void send(const signal::client_message&);
  // A new registration with fresh relay credentials, over a second connection that takes the name
  // over. What stands is kept until then, and on where the server refuses.
  void refresh(time_point now);
  // While set, a lost registration that is refused for good is asked for again all the same.
  void persist(bool whatever_comes) { persistent_ = whatever_comes; }
  // No reconnection from here on.
  void stop();
  // The same, and gives the name back: what was sent still goes out, then the connection is closed.
  void leave();

  [[nodiscard]] std::optional<signaling_output> poll_output();
  [[nodiscard]] std::optional<signaling_event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;
  // From the last registration: about what a message to another peer takes, there and not back.
  [[nodiscard]] std::optional<duration> round_trip() const { return round_trip_; }
  [[nodiscard]] bool registered() const { return current_.has_value(); }
  // Why there is no registration, while there is none.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  struct attempt {
    signaling_id id;
    time_point deadline;
    std::optional<time_point> asked{};  // to register
    std::string token_trouble{};
  };
  struct predecessor {
    signaling_id id;
    time_point deadline;
  };

  void connect(time_point now);
  void handle_answer(signal::server_message&, time_point now);
  void handle_registered(signal::registered_message&, time_point now);
  void handle_refusal(const signal::error_message&, time_point now);
  void attempt_failed(const std::string& code, const std::string& reason, time_point now);
  void current_failed(const std::string& reason, time_point now);
  void wait(const std::string& code, const std::string& reason, time_point now);
  void send_waiting();
  void give_up(failure);

  signaling_config config_;
  random_source& random_;
  signaling_id next_id_ = 1;
  std::optional<attempt> attempt_;
  std::optional<signaling_id> current_;
  std::optional<predecessor> predecessor_;
  std::optional<time_point> retry_at_;
  bool stopped_ = false, persistent_ = false;
  bool was_registered_ = false, lost_ = false;
  std::optional<std::string> resume_;
  unsigned attempts_ = 0;
  time_point registered_at_{};
  std::string trouble_, told_;  // told_: the last refusal's code, or a failed refresh's reason
  std::optional<duration> round_trip_;
  std::deque<std::string> waiting_;
  std::deque<signaling_output> outputs_;
  std::deque<signaling_event> events_;
};

}  // namespace nat::session
