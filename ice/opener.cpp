#include "ice/opener.hpp"

#include <algorithm>

namespace nat::ice {
namespace {

using namespace std::chrono_literals;

// An answer may have waited for a person; no more than this is believed to be the network's.
constexpr duration longest_gap = 250ms;
// How long a door whose own reflexive address is unknown may hold, in gaps: the peer can't send to
// an address that it was not told, but there may be none to tell.
constexpr int gaps_for_unmapped = 4;

}  // namespace

std::optional<time_point> opener_hold(const opener_rules& rules, const opener_situation& s) {
  if (rules.hop_limit == 0 || s.heard || s.from == nullptr) return std::nullopt;
  // Only what lies behind a NAT of its own can be hurt, and only a datagram of ours can hurt it.
  if (s.to->kind != candidate_kind::server_reflexive) return std::nullopt;
  if (s.from->relayed || s.from->proto != transport::udp) return std::nullopt;

  auto gap = rules.gap;
  if (s.signaling_delay) gap = std::max(gap, std::min<duration>(*s.signaling_delay, longest_gap));
  const auto& here = s.from->base.ip;
  const bool reachable = s.from->mapped || !(is_private(here) || is_loopback(here));
  if (reachable || !s.more_expected) return s.from->announced + gap;
  return std::max(s.from->announced + gap, s.now + gaps_for_unmapped * gap);
}

}  // namespace nat::ice
