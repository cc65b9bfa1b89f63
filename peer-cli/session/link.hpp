#pragma once

// One connection to one peer: the ICE agent finds the path, DTLS and SCTP run over it, and where a
// secret is shared both ends prove that they know it before any channel may be used. Knows SDP and
// candidates, not how they travel; no socket, no clock. Drive loop as in ice/agent.hpp.
//
// Trust: DTLS is looked at only where it comes over a path with an authenticated check. What comes
// so before our side is ready (the answer is still on its way) is kept, bounded, and handed in
// later.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ice/agent.hpp"
#include "ice/gather/gatherer.hpp"
#include "peer-cli/session/authentication.hpp"
#include "peer-cli/session/failure.hpp"
#include "protocol/base/path.hpp"
#include "protocol/datachannel/connection.hpp"
#include "protocol/sdp/description.hpp"

namespace nat::session {

enum class path_policy : std::uint8_t { all, direct, relay };

struct link_config {
  bool offerer = false;
  std::string local_id, remote_id;
  std::string session;  // tells this exchange from an earlier one with the same peer
  path_policy policy = path_policy::all;
  std::optional<std::string> secret;
  std::size_t max_early_datagrams = 32;
  std::size_t max_names = 8;  // mDNS candidates that wait for an address
  duration close_timeout = std::chrono::seconds{2};
  duration authentication_timeout = std::chrono::seconds{10};
  ice::agent_config agent;  // role and credentials are set by the link
};

// Traffic of the channel's datagrams, both ways, by the kind of path that carried them.
struct path_bytes {
  std::uint64_t direct_sent = 0, direct_received = 0, relay_sent = 0, relay_received = 0;
};

[[nodiscard]] bool is_relayed(const ice::connected&);

struct path_found {  // the first, or another one
  ice::connected path;
  bool first;
  duration took;  // from the first offer sent or received
};
struct path_doubted {};  // no path answers; looked for
struct channel_secured {
  datachannel::secured what;
  duration took;
};
struct link_ready {};  // proven where a secret is shared; channels may be opened
struct name_wanted {   // answer with link::resolved
  std::string name;
};
struct remote_known {  // a remote candidate that can be sent to: a relay wants a permission for it
  ice::candidate what;
};
struct peer_left {};  // the other end closed the connection in order

using link_event =
    std::variant<path_found, path_doubted, channel_secured, link_ready, name_wanted, remote_known,
                 datachannel::channel_opened, datachannel::message, datachannel::channel_closed,
                 datachannel::writable, peer_left, failure>;

struct timeline_entry {
  duration at;  // from the start of the link
  std::string what;
};

class link {
 public:
  // `own` and `random` outlive the link.
  link(link_config, const dtls::certificate& own, random_source& random, time_point now);

  // Local candidates, as the gatherer finds them.
  void add_local(const ice::candidate&, time_point now);
  void end_of_local(time_point now);
  void remove_local(const endpoint& base, time_point now);
  // What to put into an offer or an answer: everything known at this moment.
  [[nodiscard]] sdp::description description() const;
  [[nodiscard]] const std::string& local_ufrag() const { return local_.ufrag; }

  // The other side's offer or answer. The error completes "the peer's description …".
  std::optional<std::string> set_remote(const sdp::description&, time_point now);
  // The same once more, perhaps with more candidates; false: it is another one.
  bool repeat_remote(const sdp::description&, time_point now);
  void add_remote(const sdp::candidate&, time_point now);
  void end_of_remote(time_point now);
  void resolved(const std::string& name, const std::optional<address>&, time_point now);
  [[nodiscard]] bool closing() const { return close_deadline_ || ended_; }
  [[nodiscard]] bool has_remote() const { return remote_.has_value(); }

  bool handle_datagram(const path& from, byte_view datagram, time_point now);
  void handle_send_failure(const path&, time_point now);
  void handle_timeout(time_point now);

  std::optional<datachannel::channel_id> open(const datachannel::channel_options&, time_point now);
  bool send(datachannel::channel_id, byte_view, bool binary, time_point now);
  [[nodiscard]] std::size_t buffered(datachannel::channel_id) const;
  void pause(time_point now);
  void resume(time_point now);
  void close_channel(datachannel::channel_id, time_point now);
  // In order; peer_left or failure follows within close_timeout.
  void shutdown(time_point now);

  [[nodiscard]] std::optional<transmit> poll_transmit(time_point now);
  [[nodiscard]] std::optional<link_event> poll_event(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  // The largest message that the other end takes.
  [[nodiscard]] std::size_t max_message_size() const {
    const auto theirs = remote_ ? remote_->max_message_size : 0;
    return theirs == 0 ? datachannel::connection_config{}.max_message_size : theirs;
  }
  [[nodiscard]] bool proven() const { return proven_; }
  [[nodiscard]] const std::string& session() const { return config_.session; }
  [[nodiscard]] const std::string& remote_id() const { return config_.remote_id; }
  [[nodiscard]] const ice::agent& agent() const { return agent_; }
  [[nodiscard]] const std::optional<ice::connected>& current() const { return current_; }
  // The path that the channel's last datagram came over: what the other end has selected.
  [[nodiscard]] const std::optional<ice::connected>& heard() const { return heard_; }
  [[nodiscard]] std::optional<duration> connect_time() const { return connect_time_; }
  [[nodiscard]] std::optional<duration> secure_time() const { return secure_time_; }
  [[nodiscard]] const std::vector<timeline_entry>& timeline() const { return timeline_; }
  [[nodiscard]] const path_bytes& traffic() const { return traffic_; }
  [[nodiscard]] std::uint64_t unchecked_datagrams() const { return unchecked_; }

 private:
  void add_address(const sdp::candidate&, time_point now);
  [[nodiscard]] bool is_allowed(const path& from) const;
  void start_channel(time_point now);
  void drain_agent(time_point now);
  void drain_connection(time_point now);
  void handle(const ice::event&, time_point now);
  void handle(datachannel::event&, time_point now);
  void authenticate(time_point now);
  void send_proofs(time_point now);
  void fail_proof(time_point now);
  bool handle_authentication(datachannel::event&, time_point now);
  void note(std::string what, time_point now);
  [[nodiscard]] std::optional<ice::connected> describe(const path&) const;
  void count_received(const path&, std::size_t);
  void fail(failure, time_point now);

  link_config config_;
  const dtls::certificate& own_;
  random_source& random_;
  ice::credentials local_;
  std::uint64_t sdp_session_;
  time_point started_;
  ice::agent agent_;
  std::optional<datachannel::connection> channel_;
  std::optional<authentication> proof_;
  std::optional<datachannel::channel_id> proof_channel_;
  bool proven_ = false;
  bool established_ = false;
  std::optional<time_point> proof_deadline_, close_deadline_;

  std::optional<sdp::description> remote_;
  std::optional<dtls::fingerprint> remote_fingerprint_;
  std::vector<ice::candidate> local_candidates_;
  bool local_ended_ = false;
  std::vector<sdp::candidate> remote_candidates_;  // as they came, each once
  std::vector<sdp::candidate> unresolved_;
  std::vector<endpoint> refused_;  // the peer's relayed addresses, where the policy is direct
  std::size_t remote_known_ = 0;
  std::deque<bytes> early_;

  std::optional<ice::connected> current_, heard_;
  std::optional<duration> connect_time_, secure_time_;
  std::vector<timeline_entry> timeline_;
  path_bytes traffic_;
  std::uint64_t unchecked_ = 0;
  bool ended_ = false;
  std::deque<link_event> events_;
};

}  // namespace nat::session
