#pragma once

// ICE agent, RFC 8445 with trickle (8838), patience (8863) and consent (7675): one peer, one
// component. No sockets, no clock, no threads. The caller
//   1. tells it what it knows (candidates, credentials) and what happened (datagrams, time),
//   2. drains poll_transmit() and sends what comes out,
//   3. drains poll_event(),
//   4. sleeps until next_timeout() or the next datagram,
//   5. and starts over.
// Outputs may be drained after any call, in any order.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ice/candidate.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"

namespace nat::ice {

struct agent_config {
  role initial_role = role::controlled;
  credentials local;

  duration pacing = std::chrono::milliseconds{5};         // Ta; RFC 8445, 14.2 allows 5 ms and up
  duration initial_rto = std::chrono::milliseconds{250};  // of a check, until a round trip is known
  duration patience = std::chrono::milliseconds{39'500};  // RFC 8863, 4
  duration consent_interval = std::chrono::seconds{5};    // RFC 7675, 5.1, jittered by 0.8 to 1.2
  duration consent_expiry = std::chrono::seconds{30};
  duration doubt_after =
      std::chrono::milliseconds{700};  // no answer to what we sent: verify, look elsewhere

  // First checks to a remote server-reflexive candidate die between the NATs (opener_hop_limit),
  // the normal ones follow opener_gap later. 0: no openers.
  std::uint8_t opener_hop_limit = 2;
  duration opener_gap = std::chrono::milliseconds{25};
  // What is known of signaling's delay, from one peer to the other: whoever offers measures it by
  // the answer, whoever answers can't. Openers then wait as long as the other side needs to be
  // told.
  std::optional<duration> signaling_delay = std::nullopt;

  unsigned max_check_sends = 10;  // to a pair that does not answer, the last after 11 s
  duration backup_interval = std::chrono::seconds{15};  // of checks that keep alternatives warm
  duration early_check_age = std::chrono::seconds{30};  // of checks that wait for credentials
  // Nominations carry the number of draft-thatcher-ice-renomination; others skip the attribute.
  bool renomination = true;

  std::size_t max_pairs = 100;  // RFC 8445, 6.1.2.5
  std::size_t max_local_candidates = 64;
  std::size_t max_remote_candidates = 64;  // signalled and peer-reflexive together
  std::size_t max_queued_checks = 32;      // that came before the remote credentials
  std::size_t max_outbox = 512;
  std::size_t max_events = 64;
};

// Data may flow over `via`. First sent for the first valid pair, again whenever a better path or a
// replacement is chosen.
struct connected {
  path via;
  candidate local, remote;
  bool nominated;  // false: valid, used for data at once, nomination under way
  duration rtt;
};
// No path answers; the agent keeps looking. A later `connected` may follow.
struct disconnected {};
// Consent expired and no other pair works, or all pairs failed and patience is over.
struct failed {
  bool was_connected;
};

using event = std::variant<connected, disconnected, failed>;

enum class pair_state : std::uint8_t { frozen, waiting, in_progress, succeeded, failed };

// For reports; a copy.
struct pair_report {
  candidate local, remote;
  pair_state state;
  bool nominated, selected;
  std::uint32_t checks_sent, checks_received, responses_received;
  std::optional<duration> rtt;
};

struct agent_counters {
  std::uint64_t malformed = 0, unauthenticated = 0, unexpected = 0, limited = 0;
};

class agent {
 public:
  // `random` outlives the agent.
  agent(agent_config, random_source& random, time_point now);
  ~agent();
  agent(agent&&) noexcept;
  agent& operator=(agent&&) noexcept;

  // What the caller knows. All may come at any time, in any order.
  void add_local(const candidate&, time_point now);
  void end_of_local(time_point now);
  void remove_local(const endpoint& base, time_point now);  // an interface or allocation went away
  void add_remote(const candidate&, time_point now);
  void end_of_remote(time_point now);
  void set_remote(credentials, time_point now);
  // RFC 8445, 9: new credentials, candidates are kept out until told again; the selected path stays
  // in use until the restart has found another.
  void restart(credentials local, time_point now);

  // What happened. `from`: local is the door it came in by. False: not STUN for this agent, hand it
  // on.
  bool handle_datagram(const path& from, byte_view datagram, time_point now);
  // Application data (DTLS) was received from or sent to a path: traffic without answers raises
  // doubt.
  void note_received(const path&, time_point now);
  void note_sent(const path&, time_point now);
  // The kernel refused to send, or an ICMP error came back.
  void handle_send_failure(const path&, time_point now);
  void handle_timeout(time_point now);

  // What to do about it.
  [[nodiscard]] std::optional<transmit> poll_transmit();
  [[nodiscard]] std::optional<event> poll_event();
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  // The path for data, as of the last `connected`.
  [[nodiscard]] std::optional<path> selected() const;
  // Whether data from here may be looked at: a check from it was authenticated, or one to it
  // answered.
  [[nodiscard]] bool is_checked(const path&) const;
  // Smoothed round trip of the selected path.
  [[nodiscard]] std::optional<duration> rtt() const;

  [[nodiscard]] ice::role role() const;
  [[nodiscard]] const credentials& local_credentials() const;
  [[nodiscard]] std::vector<pair_report> pairs() const;
  [[nodiscard]] const agent_counters& counters() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::ice
