#pragma once

// What the agent consists of. The bodies stand by concern:
//   agent.cpp             the interface, and the order in which the parts are asked
//   agent_candidates.cpp  candidates and credentials come and go, and pairs with them
//   agent_requests.cpp    checks of the peer's: answered, then acted on
//   agent_answers.cpp     answers to our checks
//   agent_checks.cpp      which check goes when, and with what in it
//   agent_paths.cpp       which pair carries data, and whether it still works

#include <deque>

#include "ice/agent.hpp"
#include "ice/check_list.hpp"
#include "ice/check_message.hpp"
#include "ice/check_schedule.hpp"
#include "ice/doubt.hpp"
#include "ice/early_checks.hpp"
#include "ice/keys.hpp"
#include "ice/local_candidates.hpp"
#include "ice/nomination.hpp"
#include "ice/opener.hpp"
#include "ice/remote_candidates.hpp"
#include "ice/timers.hpp"

namespace nat::ice {

struct agent::state {
  state(agent_config, random_source&, time_point now);

  // Given by the caller.
  agent_config config;
  random_source& random;
  ice::role mine;
  key_ring keys;
  local_candidates locals;
  remote_candidates remotes;

  // Known by checking.
  check_list list;
  early_checks early;
  std::uint64_t tie_breaker;

  // The path. `selected` points into `list`; whatever removes a pair goes through drop_pairs().
  enum class phase : std::uint8_t { searching, connected, disconnected, failed };
  phase at = phase::searching;
  pair* selected = nullptr;
  bool had_path = false;
  bool lost = false;  // the selected pair counts as dead, and nothing has replaced it
  doubt trust;
  followed_nomination followed;   // controlled
  std::uint32_t nominations = 0;  // controlling: numbers given out

  unsigned conflicts = 0;  // 487 that we gave way to

  // Moments.
  time_point started;                         // the check list began
  time_point last_news;                       // candidates or credentials came
  std::optional<time_point> first_announced;  // of our candidates
  std::optional<duration> signaling_delay;    // one way
  std::optional<time_point> last_stray;       // data came by another path than ours
  time_point lost_since{};
  time_point next_ordinary{};  // Ta after the last

  timer_table timers;
  std::deque<transmit> outbox;
  std::deque<event> events;
  std::uint64_t emitted = 0;
  agent_counters counters;

  // In this order after every call: agent.cpp.
  void advance(time_point now);
  void forget_old(time_point now);
  void conclude(time_point now);
  void arm(time_point now);

  // agent.cpp
  void push(const path& via, bytes message, std::optional<std::uint8_t> hop_limit = std::nullopt);
  void emit(event);

  // agent_candidates.cpp
  void pair_up(const door&, const candidate& remote, time_point now);
  void rename_remote(const candidate&);
  void drop_pairs(const check_list::predicate&);
  [[nodiscard]] check_list::predicate must_stay() const;

  // agent_requests.cpp
  bool handle_request(const path& from, const stun::message_view&, time_point now);
  void act_on_early(time_point now);
  void take_check(const path& from, const incoming_check&, time_point now);
  pair* learn_path(const path& from, const incoming_check&);
  const candidate* learn_remote(const path& from, const incoming_check&);
  void take_nomination(pair&, std::optional<std::uint32_t> number, time_point now);
  void set_role(ice::role, time_point now);

  // agent_answers.cpp
  bool handle_answer(const path& from, const stun::message_view&, time_point now);
  void handle_error(pair&, int code, const check_log::answer&, time_point now);
  void succeed(pair&, const endpoint& mapped, const check_log::answer&, time_point now);

  // agent_checks.cpp
  void send_due(time_point now);
  void send_ordinary(time_point now);
  void check_due(pair&, time_point now);
  void send_check(pair&, time_point now);
  void trigger(pair&, time_point now);
  void verify(pair&, time_point now);
  void fail(pair&);
  void retry(pair&);
  void retry_failed(bool direct_only);
  [[nodiscard]] bool settled() const;
  [[nodiscard]] unsigned max_sends(const pair&) const;
  void schedule_upkeep(pair&, time_point now);
  [[nodiscard]] std::uint32_t nomination_for(pair&);
  [[nodiscard]] std::optional<time_point> hold_for(const pair&, time_point now) const;
  [[nodiscard]] bool can_check(const pair&) const;
  [[nodiscard]] duration rto_of(const pair&) const;          // of one that works
  [[nodiscard]] duration unanswered_rto(const pair&) const;  // of one that may

  // agent_paths.cpp
  void consider(pair&, time_point now);
  void select(pair&, time_point now);
  void nominate(pair&, time_point now);
  void announce();
  [[nodiscard]] duration round_trip(const pair&) const;
  void raise_doubt(time_point now, bool one_way = false);
  void watch_path(time_point now);
  void handle_dead_path(time_point now);
  void handle_lost_consent(time_point now);
  void handle_lost_door(time_point now);
  void refresh_upkeep(time_point now);
  void arm_path(time_point now);
};

}  // namespace nat::ice
