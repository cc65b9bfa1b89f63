#pragma once

// The whole peer, pure: signaling, gathering, and one link at a time, composed. What the programs
// and the simulator run; they bring sockets, a clock and the WebSocket. Drive loop as in
// ice/agent.hpp, with poll_request() for what only the outside can do (connect, resolve, send a
// signaling text).

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ice/gather/gatherer.hpp"
#include "ice/portmap/mapper.hpp"
#include "peer-cli/session/ice_url.hpp"
#include "peer-cli/session/link.hpp"
#include "peer-cli/session/signaling_client.hpp"
#include "protocol/signal/messages.hpp"

namespace nat::session {

struct given_server {  // an --ice-server option, or one the signaling server announced
  std::string url, username, credential;
};

struct peer_config {
  std::string id;
  std::optional<std::string> target;  // connect to it; without: wait for offers
  path_policy policy = path_policy::all;
  std::optional<std::string> secret;
  std::vector<given_server> servers;  // in place of those announced
  bool use_signaling = true;          // false: only gathers, from `servers`
  bool relays_at_once = false;        // ask for relayed addresses before anyone comes
  bool confirms = false;     // the timeout runs until confirm(), not until the channel stands
  bool port_mapping = true;  // ask routers for ports
  duration timeout = std::chrono::seconds{30};
  ice::agent_config agent;
};

// Requests to the outside. Answers come by the members of the same names.
struct resolve_server {  // -> server_resolved(id, …)
  std::uint32_t id;
  std::string host;
  std::uint16_t port;
};
struct resolve_name {  // mDNS -> name_resolved(name, …)
  std::string name;
};
// portmap::tcp_exchange -> exchange_done(id, …)
using request =
    std::variant<signaling_connect, signaling_send, signaling_disconnect, resolve_server,
                 resolve_name, ice::open_stream, ice::close_stream, portmap::tcp_exchange>;

struct registered {
  std::string peer_id;
  std::vector<std::string> ice_servers;  // URLs
  bool again;
};
struct local_candidate {
  ice::found what;
};
struct remote_candidate {
  ice::candidate what;
};
struct server_silent {
  ice::server_failed what;
};
struct link_started {
  std::string peer_id;
  bool offered_by_us;
};
struct link_ended {  // with a failure, or in order
  std::optional<failure> why;
};
using peer_event =
    std::variant<registered, signaling_lost, signaling_not_refreshed, local_candidate,
                 remote_candidate, server_silent, ice::gathered, link_started, path_found,
                 path_doubted, channel_secured, link_ready, datachannel::channel_opened,
                 datachannel::message, datachannel::channel_closed, datachannel::writable,
                 link_ended, portmap::mapped, portmap::unmapped, portmap::answered,
                 portmap::refused,
                 failure>;  // the peer as a whole can't go on

class peer {
 public:
  // `own` and `random` outlive the peer.
  peer(peer_config, const dtls::certificate& own, random_source& random, time_point now);

  // As signaling_client's.
  void signaling_opened(signaling_id, const signaling_token&, time_point now);
  void signaling_received(signaling_id, std::string_view text, time_point now);
  void signaling_closed(signaling_id, const std::string& reason, time_point now);

  void add_socket(const endpoint& base, std::uint16_t local_preference, time_point now);
  void remove_socket(const endpoint& base, time_point now);
  // The routers that lead out of the interface of a socket; asked at once to map its port.
  void set_gateways(const endpoint& base, const std::vector<address>&, time_point now);
  void exchange_done(std::uint32_t id, std::optional<std::string_view> received, time_point now);
  void handle_announcement(const endpoint& from, byte_view datagram, time_point now);
  // The first sockets are all there: from here on gathering may be complete.
  void sockets_complete(time_point now);
  void server_resolved(std::uint32_t id, const std::vector<address>&, time_point now);
  void name_resolved(const std::string& name, const std::optional<address>&, time_point now);
  void stream_opened(std::uint32_t id, const path&, time_point now);
  void stream_closed(std::uint32_t id, const std::string& reason, time_point now);

  void handle_datagram(const path& from, byte_view datagram, time_point now);
  void handle_send_failure(const path&, time_point now);
  void handle_timeout(time_point now);

  // The link, while there is one; for channels and reports.
  [[nodiscard]] session::link* current() { return link_.get(); }
  // The link that link_ended told about, until the next one starts; for reports.
  [[nodiscard]] const session::link* ended() const { return ended_.get(); }
  [[nodiscard]] const peer_config& config() const { return config_; }

  // What STUN servers saw of our sockets, in this gathering or the one before; see view_nat.
  [[nodiscard]] const std::vector<ice::mapping_observation>& nat_seen() const {
    return gatherer_->mappings().empty() ? seen_before_ : gatherer_->mappings();
  }
  // Whether the routers have said what they do, or have been silent for long enough.
  [[nodiscard]] bool port_mapping_settled(time_point now) const { return mapper_.settled(now); }

  // What the command wanted of the link has happened: the timeout ends.
  void confirm() { connect_deadline_.reset(); }
  // While false, offers are answered with `busy`.
  void set_accepting(bool accepting) { accepting_ = accepting; }
  // Ends everything: link, allocations, registration. `stopped` once nothing is left to be sent; it
  // takes at most a few round trips.
  void stop(time_point now);
  [[nodiscard]] bool stopped() const;

  [[nodiscard]] std::optional<transmit> poll_transmit(time_point now);
  [[nodiscard]] std::optional<request> poll_request(time_point now);
  [[nodiscard]] std::optional<peer_event> poll_event(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;

 private:
  struct socket {
    endpoint base;
    std::uint16_t preference;
  };

  // peer_gathering.cpp
  void start_gathering(time_point now);
  void retire_gatherer(time_point now);
  void learn_servers(const std::vector<given_server>&, time_point now);
  void add_server(const given_server&, const ice_url&, const endpoint&, time_point now);
  void ask_relays(time_point now);
  void end_of_servers(time_point now);
  void flush_gatherer(time_point now);
  void handle(ice::gather_event&, time_point now);
  // peer_mapping.cpp
  void offer_mapping(const portmap::mapping&);
  void flush_mapper(time_point now);
  // peer_signaling.cpp
  void handle_ready(signaling_ready&, time_point now);
  void make_offer(time_point now);
  void send_description();
  void repeat_description();
  void repeat_candidates();
  [[nodiscard]] static bool may_reply(std::optional<time_point>& last, time_point now);
  void start_link(bool offerer, const std::string& remote, std::string session, time_point now);
  void drop_link(std::optional<failure> why, time_point now);
  void send_candidate(const std::optional<ice::candidate>&);
  void flush_link(time_point now);
  void handle(link_event&, time_point now);
  void flush_signaling(time_point now);
  void handle(signaling_event&, time_point now);
  void handle(signal::server_message&, time_point now);
  void handle_offer(const signal::offer_message&, time_point now);
  void handle_answer(const signal::answer_message&, time_point now);
  void handle_candidate(const signal::candidate_message&, time_point now);
  void handle_bye(const signal::bye_message&, time_point now);
  void handle_error(const signal::error_message&, time_point now);
  [[nodiscard]] bool concerns_link(const std::string& from,
                                   const std::optional<std::string>& session) const;
  void time_out(time_point now);

  peer_config config_;
  const dtls::certificate& own_;
  random_source& random_;
  time_point started_;
  signaling_client signaling_;
  std::unique_ptr<ice::gatherer> gatherer_;
  std::vector<ice::mapping_observation> seen_before_;
  portmap::mapper mapper_;
  std::uint32_t epoch_ = 0;  // of gatherer_, in the upper half of stream ids
  // Gatherers of links that are over: each still sends its last data and gives its allocations
  // back. At most max_retired; the oldest makes room.
  struct retired {
    std::unique_ptr<ice::gatherer> gatherer;
    std::uint32_t epoch;
    time_point deadline;
  };
  static constexpr std::size_t max_retired = 4;
  std::vector<retired> retiring_;
  [[nodiscard]] ice::gatherer* owner_of_stream(std::uint32_t id);
  void drop_released(time_point now);
  std::unique_ptr<session::link> link_, ended_;
  std::deque<transmit> last_words_;  // of a link that has ended

  struct pending_server {
    std::uint32_t id;
    given_server given;
    ice_url url;
  };
  std::vector<socket> sockets_;
  std::vector<pending_server> resolving_;
  std::vector<ice::server>
      servers_;  // resolved; relays among them are asked when a link wants them
  bool relays_asked_ = false;
  std::uint32_t next_id_ = 1;
  std::vector<ice::found> found_;
  bool gathered_ = false;
  bool described_ = false;  // our offer or answer is out: candidates trickle
  bool offered_ = false;
  bool unheard_ = false;   // candidates of this link were refused: its peer was away
  bool repeated_ = false;  // what describes this link was sent again after a loss
  bool outcome_told_ = false;
  bool accepting_ = true;
  time_point link_started_{};
  unsigned strikes_ = 0;  // wrong secrets in a row; each makes the next guess wait twice as long
  std::optional<time_point> guarded_until_, last_refusal_, last_repetition_;

  std::optional<time_point> connect_deadline_, refresh_at_, repeat_at_;
  bool stopping_ = false;
  std::deque<request> requests_;
  std::deque<peer_event> events_;
};

}  // namespace nat::session
