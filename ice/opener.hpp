#pragma once

// The first packet must not arrive.
//
// A Linux router that masquerades and accepts packets addressed to itself answers a check that
// comes before its own peer's first one, and what connection tracking then remembers owns our reply
// tuple: the peer's mapping moves to another port, and every retransmission refreshes the mistake.
// So a check that may be early has a TTL that opens our own NAT and dies before theirs; the one
// that is meant to arrive follows when the peer can be expected to have sent its first.
//
// The peer sends its first when it has been told our address. Hence the wait is counted from the
// moment when our address became known here, not from the opener: whoever gets the other's address
// by an answer to its own has waited already (README, "Openers", has the arithmetic).

#include <optional>

#include "ice/local_candidates.hpp"
#include "protocol/base/time.hpp"

namespace nat::ice {

struct opener_rules {
  std::uint8_t hop_limit = 2;  // 0: no openers
  duration gap = std::chrono::milliseconds{25};
};

struct opener_situation {
  const door* from;     // nullptr: gone
  const candidate* to;  // the remote candidate
  bool heard;           // an authenticated check has come from there: it is open
  bool more_expected;   // our own reflexive address may still be found
  std::optional<duration> signaling_delay;  // one way, where it is known or was seen
  time_point now;
};

// When the first check that is meant to arrive may go; nullopt or not after now: at once, without
// an opener.
[[nodiscard]] std::optional<time_point> opener_hold(const opener_rules&, const opener_situation&);

}  // namespace nat::ice
