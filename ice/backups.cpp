#include "ice/backups.hpp"

#include "ice/nomination.hpp"

namespace nat::ice {

void assign_upkeep(const check_list& list, const pair* selected) {
  pair* direct = nullptr;
  pair* relayed = nullptr;
  for (const auto& p : list.all()) {
    p->upkeep = p.get() == selected ? duty::consent : duty::none;
    if (!p->valid() || p.get() == selected) continue;
    auto& best = relays_of(*p) == 0 ? direct : relayed;
    if (best == nullptr || is_better(*p, *best)) best = p.get();
  }
  if (direct != nullptr) direct->upkeep = duty::backup;
  if (relayed != nullptr) relayed->upkeep = duty::backup;
}

pair* best_alternative(const check_list& list, const pair* lost, time_point after) {
  pair* best = nullptr;
  for (const auto& p : list.all()) {
    if (!p->valid() || p.get() == lost || !p->answered || *p->answered <= after) continue;
    if (best == nullptr || is_better(*p, *best)) best = p.get();
  }
  return best;
}

duration jittered(duration d, random_source& random) {
  return d / 1000 * static_cast<duration::rep>(800 + random_below(random, 401));
}

}  // namespace nat::ice
