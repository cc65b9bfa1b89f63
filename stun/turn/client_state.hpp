#pragma once

// The inside of turn::client. Its members are spread by concern:
//   client.cpp             the public face, deadlines
//   client_requests.cpp    requests out, answers in, authentication
//   client_allocation.cpp  Allocate, Refresh, release
//   client_grants.cpp      permissions and channels
//   client_relay.cpp       payload in both directions

#include <deque>
#include <vector>

#include "stun/turn/client.hpp"
#include "stun/turn/client_credentials.hpp"
#include "stun/turn/client_peers.hpp"
#include "stun/turn/client_request.hpp"

namespace nat::turn {

enum class phase : std::uint8_t { allocating, allocated, releasing, finished };

struct client::state {
  state(client_config, random_source&, time_point now);

  // Requests and answers.
  void ask(question, time_point now);
  [[nodiscard]] bytes write_request(const question&, const stun::transaction_id&) const;
  void put_question(stun::message_writer&, const question&) const;
  void handle_answer(const stun::message_view&, time_point now);
  [[nodiscard]] bool authentic(request&, const stun::message_view&, int code);
  void handle_challenge(request, int code, const stun::message_view&, time_point now);
  void handle_success(request&, const stun::message_view&, time_point now);
  void handle_error(request&, int code, const stun::message_view&, time_point now);
  void give_up(const request&, time_point now);
  void note_rtt(const request&, time_point now);

  // The allocation.
  void handle_allocated(request&, const stun::message_view&, time_point now);
  void handle_allocate_error(int code, const stun::message_view&, time_point now);
  bool retry_mismatch(time_point now);
  bool retry_differently(int code, const stun::message_view&, time_point now);
  void handle_alternate(const stun::message_view&);
  void handle_refreshed(const stun::message_view&, time_point now);
  void handle_refresh_error(int code, std::string_view phrase, time_point now);
  void set_lifetime(duration, time_point now);
  void approve(time_point now);
  void release(time_point now);
  void fail(int code, std::string reason);
  void finish(client_event);

  // Permissions and channels.
  permission* want_permission(const address& peer, time_point now);
  void flush_wanted(time_point now);
  void renew_grants(time_point now);
  void ask_permissions(std::vector<address> peers, time_point now);
  void handle_permitted(const request&, time_point now);
  void activate(const address& peer, const request&, time_point now);
  void handle_permit_error(const request&, int code, std::string_view phrase, time_point now);
  void refuse_permission(const address&, int code, std::string_view phrase, time_point now);
  void handle_bound(const request&, time_point now);
  void handle_bind_error(const request&, int code, time_point now);

  // Payload.
  bool send(const endpoint& peer, byte_view data, std::uint16_t segment_size, time_point now);
  [[nodiscard]] permission* sendable(const endpoint& peer, byte_view data, time_point now);
  [[nodiscard]] std::optional<byte_view> wrap_one(const endpoint& peer, byte_view data,
                                                  byte_span out);
  void hold(permission&, byte_view wrapped);
  consumed receive(byte_view datagram);
  std::optional<relayed_data> read_indication(const stun::message_view&);
  [[nodiscard]] bool may_send_to_us(const address& peer);

  void handle_timeout(time_point now);
  void queue(bytes wire, time_point now, std::uint16_t segment_size = 0);
  [[nodiscard]] std::optional<time_point> next_timeout() const;
  [[nodiscard]] bool stream() const { return config_.server.proto == transport::tcp; }
  [[nodiscard]] std::optional<time_point> keepalive_at() const;
  [[nodiscard]] std::optional<endpoint>& relayed(bool v4) { return v4 ? relayed_v4_ : relayed_v6_; }
  [[nodiscard]] const std::optional<endpoint>& relayed(bool v4) const {
    return v4 ? relayed_v4_ : relayed_v6_;
  }

  client_config config_;
  random_source& random_;
  long_term_credentials credentials_;
  phase phase_ = phase::allocating;
  std::optional<question> unapproved_;  // waits for approve()
  // The ways out of a 437: what was left on the port is given back, then the server is given time.
  bool discarded_ = false;
  unsigned mismatches_ = 0;
  std::optional<time_point> allocate_at_;
  stun::round_trip_estimate rtt_;

  std::optional<endpoint> relayed_v4_, relayed_v6_;
  time_point refresh_at_{}, expires_{};
  bool refreshing_ = false;
  peer_table peers_;

  std::vector<request> requests_;
  std::deque<transmit> outbox_;
  std::deque<client_event> events_;
  time_point last_sent_{}, latest_{};  // `latest_`: of the caller's latest call
  client_counters counters_;
};

}  // namespace nat::turn
