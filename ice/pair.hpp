#pragma once

// A candidate pair, RFC 8445, 6.1.2: one way to the peer, and what is known about it. Data only;
// who changes what: check_list makes and removes pairs, the agent's parts move their states.
//
// There is no freezing (RFC 8445, 6.1.2.6): with one component a foundation says little, and a
// frozen pair is a pair not checked. Every pair starts out waiting.

#include <cstdint>
#include <optional>

#include "ice/agent.hpp"
#include "ice/candidate.hpp"
#include "ice/check_log.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/time.hpp"
#include "stun/transaction.hpp"

namespace nat::ice {

// Why a pair that succeeded goes on being checked.
enum class duty : std::uint8_t { none, backup, consent };

struct pair {
  pair(const path& v, const candidate& l, const candidate& r, std::uint32_t g,
       random_source& random)
      : via(v), local(l), remote(r), generation(g), checks(random) {}

  path via;
  candidate local;  // of the highest priority at its base; once valid, as the peer sees it
  candidate remote;
  std::uint64_t priority = 0;
  std::uint32_t generation;  // of the credentials: restarts so far
  pair_state state = pair_state::waiting;

  check_log checks;
  stun::round_trip_estimate rtt;

  std::optional<time_point> due;        // the next check, where ordinary pacing does not decide
  bool urgent = false;                  // triggered or nominating: first of those that are due
  unsigned sends = 0;                   // checks since the last answer or trigger
  std::optional<time_point> last_sent;  // the last that was meant to arrive
  std::optional<time_point> opened;     // an opener with a low TTL went out
  std::optional<time_point> heard;      // the peer's first authenticated check on this path
  std::optional<time_point> answered;   // the last answer to ours

  bool brisk = false;            // a question is open: repeat after a round trip, not an interval
  duty upkeep = duty::none;      // once succeeded
  bool nominated = false;        // RFC 8445, 8.1: by whoever controls, and confirmed by an answer
  std::uint32_t nomination = 0;  // controlling: sent in checks. 0: none
  std::optional<time_point> promised_at;  // controlled: nominated by the peer before it was valid,
  std::uint32_t promised = 0;             // with this number, 0: without

  std::uint32_t checks_sent = 0, checks_received = 0, responses_received = 0;

  [[nodiscard]] bool valid() const noexcept { return state == pair_state::succeeded; }
  [[nodiscard]] bool reliable() const noexcept { return via.proto == transport::tcp; }
};

}  // namespace nat::ice
