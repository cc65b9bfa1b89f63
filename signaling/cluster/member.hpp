#pragma once

// One server's part in a cluster of servers that share a Redis (SIGNALING.md, "More than one
// server"): it claims, routes and releases for all event loops, keeps the lease, and finds back
// when Redis or the way to it was gone. No socket, no clock; the driver keeps two connections, one
// for commands and one that is subscribed to this server's inbox.
//
//   1. start()
//   2. handle_...() what happened, with the time
//   3. handle_timeout() when next_timeout() has come
//   4. after each, or after several: poll_action() and poll_envelope() until both are empty
//
// Names are claimed, and messages go to other servers, while state() is up. While it is not, every
// claim and message is answered with `unavailable` at once; names that were claimed stay served
// here, under their generations, and are claimed again afterwards. A member that notices, before
// anything else, that its lease has run out while it believed to be up was frozen: it forgets all
// names, raises the fence, and begins a new epoch.
// Bounded: commands under way, messages that wait, how long they do, messages unacknowledged,
// octets on their way, claims and answers that wait, releases remembered while away, names held
// (constants below); names, and releases that wait, by connections.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "signaling/cluster/hold_budget.hpp"
#include "signaling/cluster/record.hpp"
#include "signaling/cluster/scripts.hpp"
#include "signaling/hub/exchange.hpp"
#include "signaling/hub/fence.hpp"
#include "signaling/hub/keyed_hash.hpp"

namespace nat::cluster {

enum class line : std::uint8_t { commands, inbox };

struct action {
  enum class type : std::uint8_t { connect, disconnect, send };
  type what;
  line where;
  std::vector<std::string> words{};  // send: the command
};

// What Redis answered to a command.
struct reply {
  enum class type : std::uint8_t { text, integer, nil, array, error };
  type what = type::nil;
  std::string text{};
  std::int64_t integer = 0;
  std::vector<reply> items{};
};

enum class state : std::uint8_t { away, joining, up };

struct member_counters {
  std::uint64_t commands = 0, failures = 0, disconnects = 0, subscriptions = 0, published = 0,
                received = 0, acknowledgements_missing = 0, unavailable = 0, malformed = 0,
                superseded = 0, epochs = 0, lapses = 0;
};

class member {
 public:
  static constexpr std::size_t max_unacknowledged = 65'536;
  static constexpr std::size_t max_waiting_bytes = 64U << 20;
  static constexpr std::size_t max_unsettled = 65'536;
  static constexpr std::size_t max_claims = 16'384;
  static constexpr std::size_t max_waiting_messages = 16'384;
  // Of answers to other servers' messages. One that has so many octets takes no further answer.
  static constexpr std::size_t max_waiting_publications = 1024, max_publication_bytes = 65'536;
  // Of a message, until Redis is asked where it goes.
  static constexpr duration longest_wait = std::chrono::milliseconds(250);

  struct settings {
    std::string node;    // unique, one word
    std::string user{};  // of Redis' ACL; empty: its default user
    std::string password{};
    std::string unreachable = "Redis can't be reached";  // said where connecting takes too long
    unsigned database = 0;
    std::uint32_t loops = 1;
    // A dead server's names are to be free after 10 s, the time to find out and ask included.
    duration lease = std::chrono::milliseconds(9500);
    // Of every command, of a connection, of an acknowledgement, and of a client that claims.
    duration patience = std::chrono::milliseconds(1500);
    std::chrono::milliseconds resume_window{30'000};
    std::size_t max_held = 65'536;         // names that it leaves behind within a resume window
    std::size_t max_held_per_site = 1024;  // of one IPv4 address or IPv6 /64; 0: no limit, of both
  };
  // The references must outlive it.
  member(settings, hub::fence&, random_source&);

  void start(time_point now);
  void handle_connected(line, time_point now);
  // Or not connected. `why` is for people.
  void handle_disconnected(line, std::string why, time_point now);
  // To the oldest command of `commands` that has no reply; in `inbox`, replies and messages.
  void handle_reply(line, const reply&, time_point now);
  // What an exchange has for cluster_place.
  void handle_envelope(hub::envelope&&, time_point now);

  [[nodiscard]] std::optional<time_point> next_timeout() const;
  void handle_timeout(time_point now);

  [[nodiscard]] std::optional<action> poll_action(time_point now);
  [[nodiscard]] std::optional<hub::envelope> poll_envelope();

  [[nodiscard]] cluster::state state() const noexcept { return state_; }
  [[nodiscard]] const member_counters& stats() const noexcept { return stats_; }
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }  // the last one
  [[nodiscard]] std::size_t names() const noexcept { return names_.size(); }

 private:
  struct owned {
    hub::owner who;
    std::string hash;  // of the resume secret, hex
  };
  struct claim {
    std::string name, fresh, shown;
    hub::owner by;  // generation: the number of the claim
    address client{};
    std::uint64_t lost_below = 0;  // generations that were superseded before we heard of them
  };
  struct message {
    std::uint64_t id;
    hub::owner from;
    hub::request_type request;
    std::string target, sender;
    std::size_t bytes;
  };
  struct release {
    std::string name;
    std::int64_t hold_ms;
  };
  struct sent {
    enum class type : std::uint8_t {
      plain,
      lease,
      ping,
      claim,
      route,
      release,
      answers,
      resubscribed,
      recover
    } what;
    time_point at;
    claim asked{};
    std::vector<message> messages{};
    release left{};
    std::vector<std::string> names{};  // recover: what was asked for, with the generations kept
    std::vector<std::uint64_t> generations{};
  };
  struct waiting {
    sent what;  // a claim or a release
    std::vector<std::string> words;
  };
  struct waiting_message {
    message what;
    std::string text;
    time_point at;
  };
  struct publication {
    std::string node, text;
  };
  struct impatient {
    time_point until;
    hub::owner by;
    std::string name;
  };
  struct unsettled {
    std::int64_t hold_ms;
    std::string fresh;  // hashes of secrets that were made for claims of it
  };
  struct unacknowledged {
    hub::owner from;
    hub::request_type request;
    std::string target;
  };

  // What is asked of it (member.cpp).
  void claims(hub::envelope&&, time_point now);
  void routes(hub::envelope&&, time_point now);
  void releases(const hub::envelope&, time_point now);
  void answers(const hub::envelope&);
  void handle_publication(std::string_view text);
  void take(const record&);
  void claimed(claim&, const reply&, bool told);
  void routed(std::vector<message>&, const reply&);
  void superseded(const std::string& name, std::uint64_t generation);
  void tell(hub::envelope::type, const hub::owner& to, hub::request_type, std::string target);

  // What waits for Redis (member_queue.cpp).
  void send(sent&&, std::vector<std::string> words);
  [[nodiscard]] static std::vector<std::string> call(const script&, std::vector<std::string> keys,
                                                     std::vector<std::string> arguments);
  void send_waiting(time_point now);
  void send_routes(time_point now);
  void send_answers(time_point now);
  void send_command(time_point now);
  [[nodiscard]] std::optional<time_point> waited_enough_at() const;
  void refuse_late(time_point now);
  void refuse_claim(const hub::owner& by, std::string name);
  void settle_late(const std::string& name);
  void give_up_commands();

  // Connections, lease and fence (member_line.cpp).
  [[nodiscard]] bool frozen(time_point now);
  void connect(line, time_point now);
  void lost(std::string why, time_point now);
  void drop_line(line);
  void renew_inbox(time_point now);
  void refresh(time_point now);
  void answered(sent&, const reply&, time_point now);
  void leased(const sent&, const reply& before, time_point now);
  void heard(const reply&, time_point now);
  void greet(line, time_point now);

  // Names claimed again (member_recovery.cpp).
  void unsettle(std::string name, std::int64_t hold_ms, std::string_view fresh);
  void recover_if_joined(time_point now);
  void recover_all(time_point now);
  void recover_some(time_point now);
  void recovered(sent&, const reply&, time_point now);

  const settings settings_;
  hub::fence& fence_;
  random_source& random_;
  hold_budget held_;
  cluster::state state_ = state::away;
  std::string epoch_, trouble_;
  struct line_state {
    bool open = false, connected = false;
    time_point since{};
  } commands_, inbox_;
  bool subscribed_ = false, leased_ = false, heard_itself_ = false, ping_due_ = false;
  unsigned attempts_ = 0;
  std::optional<time_point> connect_at_, inbox_at_, refresh_at_, lease_until_;
  std::deque<sent> sent_;
  std::deque<action> actions_;
  std::deque<hub::envelope> envelopes_;
  std::unordered_map<std::string, owned, hub::keyed_hash, std::equal_to<>> names_;
  std::unordered_map<std::string, unsettled, hub::keyed_hash, std::equal_to<>> unsettled_;
  bool too_unsettled_ = false;
  std::deque<std::string> to_recover_;
  std::size_t recovering_ = 0, claims_ = 0, waiting_bytes_ = 0;
  std::deque<waiting> waiting_claims_, waiting_releases_;
  std::deque<impatient> claims_under_way_;  // one for each that was sent and has no reply
  std::size_t claims_told_ = 0;             // so many at the front have been refused meanwhile
  // Their names, each until it is known that Redis did not give it, or has it back.
  std::unordered_map<std::string, unsigned, hub::keyed_hash, std::equal_to<>> late_names_;
  std::deque<waiting_message> routes_;
  std::deque<publication> answers_;  // of each node's, all but the last are full
  std::size_t commands_under_way_ = 0, routes_under_way_ = 0, answers_under_way_ = 0;
  std::unordered_map<std::uint64_t, unacknowledged> unacknowledged_;
  std::deque<std::pair<time_point, std::uint64_t>> acknowledged_by_;
  std::uint64_t next_id_ = 1;
  member_counters stats_;
};

}  // namespace nat::cluster
