#pragma once

// Runs RFC 5780's tests of one address family over sockets that the caller opens, and gathers the
// evidence for judge(). No sockets, no clock:
//
//   1. do what poll_request() asks, until it has nothing more: open_socket is answered at once by
//      socket_opened() or socket_failed()
//   2. send what poll_transmit() gives, until it has nothing more
//   3. at next_timeout() call handle_timeout(); whatever else happened, call its handle_ function
//   4. begin again; finished() says when all is known, and the caller closes every socket
//
// First every server is asked from one socket. The first one that names a second address is tested
// with; where none does, the plain tests (several servers, several sockets) are all there is. Then
// everything runs at once from sockets of its own, because what one socket sends changes what
// another test on it would see. Requests are repeated by the measured round trip. An answer counts
// only for a request under way, on the socket it was sent from, from a place that may answer it.

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "protocol/base/random.hpp"
#include "stun/behavior/lifetime_search.hpp"
#include "stun/behavior/question.hpp"
#include "stun/behavior/verdict.hpp"
#include "stun/transaction.hpp"

namespace nat::behavior {

struct discovery_config {
  std::vector<endpoint> servers;  // of one family; max_servers at most are asked
  bool lifetime = false;          // minutes instead of a second
  std::optional<address> router_external = {};
  std::size_t max_servers = 8;
  // Without the lifetime, all is over by then.
  duration deadline = std::chrono::milliseconds{4'800};
};

struct open_socket {  // a UDP socket of the servers' family with a port of the system's choice
  socket_id id;
};
struct close_socket {
  socket_id id;
};
struct ask_tcp {  // one Binding request over TCP; answered by handle_tcp()
  endpoint server;
};
using discovery_request = std::variant<open_socket, close_socket, ask_tcp>;

struct datagram_out {
  socket_id through;
  endpoint to;
  bytes data;
};

class discovery {
 public:
  // The source outlives this.
  discovery(discovery_config, random_source&, time_point now);

  // The address of `local` may be unspecified; that of the first datagram's arrival fills it in.
  void socket_opened(socket_id, const endpoint& local, time_point now);
  void socket_failed(socket_id, time_point now);
  // `arrived_at`: the address it was sent to. False: nothing of ours.
  bool handle_datagram(socket_id, const address& arrived_at, const endpoint& from, byte_view data,
                       time_point now);
  // ICMP: nobody there. Only the first question to a server is given up for it.
  void handle_unreachable(socket_id, const endpoint& to, time_point now);
  void handle_tcp(bool answered, time_point now);
  void handle_timeout(time_point now);

  [[nodiscard]] std::optional<discovery_request> poll_request();
  [[nodiscard]] std::optional<datagram_out> poll_transmit(time_point now);
  [[nodiscard]] std::optional<time_point> next_timeout() const;

  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] std::vector<exchange> evidence() const;
  [[nodiscard]] behavior::verdict verdict() const { return judge(evidence(), known()); }
  [[nodiscard]] circumstances known() const;
  // While the lifetime is measured: what is known of it so far.
  [[nodiscard]] std::optional<lifetime_bounds> lifetime_so_far() const;

 private:
  // What the sockets being opened are for.
  enum class step : std::uint8_t { none, ask, test, sample, foresee, outwait };
  struct door {
    endpoint local = {};
    bool open = false;
  };
  struct trial {        // of a lifetime
    std::size_t maker;  // the question that made the mapping
    duration silence;
    std::optional<std::size_t> probe = {};
  };

  // discovery.cpp: sockets, questions, time
  void open(std::size_t count, step);
  void settle_socket(time_point now);
  std::size_t ask(socket_id, exchange, time_point now);
  void note_answer(const question&, time_point now);
  void fill_in_address(socket_id, const address& arrived_at);
  [[nodiscard]] duration interval() const;
  [[nodiscard]] unsigned patience(const question&) const;
  void pass_time(question&, time_point now);
  [[nodiscard]] std::optional<time_point> next_step() const;

  // discovery_steps.cpp: what is asked when
  void advance(time_point now);
  void start(step, time_point now);
  void advance_asking(time_point now);
  void advance_tests(time_point now);
  void end_tests();
  void ask_servers(time_point now);
  [[nodiscard]] bool may_choose(time_point now) const;
  void choose_server();
  void test(time_point now);
  void sample(std::size_t first, std::size_t count, time_point now);
  [[nodiscard]] bool wants_samples() const;
  void ask_ourselves(time_point now);
  [[nodiscard]] bool wants_foresight() const;
  void foresee(time_point now);
  void cross(socket_id, const endpoint& to, time_point now);
  void follow_sequence(time_point now);
  [[nodiscard]] bool all_settled() const;

  // discovery_lifetime.cpp
  void begin_round();
  void make_mappings(time_point now);
  void advance_trials(time_point now);
  void note_result(const trial&);
  // True: nothing more is to come of it.
  bool advance_trial(trial&, time_point now);
  [[nodiscard]] std::optional<time_point> next_trial() const;

  discovery_config config_;
  random_source* random_;
  time_point started_;
  std::vector<door> doors_;
  std::vector<question> questions_;
  std::map<stun::transaction_id, std::size_t> by_id_;
  std::deque<discovery_request> requests_;
  stun::round_trip_estimate round_trip_;
  bool lossy_ = false;  // an answer took more than one request

  step opening_ = step::none;
  std::size_t first_opening_ = 0, unsettled_ = 0;
  std::optional<endpoint> server_, other_;
  std::optional<time_point> first_answer_;
  std::optional<bool> tcp_;
  bool tcp_asked_ = false, tests_over_ = false, finished_ = false;
  bool sampled_ = false, hairpinned_ = false, foreseen_ = false;
  std::optional<std::size_t> scout_;  // the question that shows where a sequence of ports stands
  lifetime_search search_;
  std::vector<trial> trials_;
  // At the beginning of a round; before the first, what no round can leave.
  duration alive_before_{-1};
  std::optional<duration> gone_before_;
};

}  // namespace nat::behavior
