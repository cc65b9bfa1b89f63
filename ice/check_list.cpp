#include "ice/check_list.hpp"

#include <algorithm>

namespace nat::ice {
namespace {

std::uint64_t priority_of(const pair& p, role mine) noexcept {
  return mine == role::controlling ? pair_priority(p.local.priority, p.remote.priority)
                                   : pair_priority(p.remote.priority, p.local.priority);
}

// Pruning takes what failed before what waits before what runs.
int expendable(const pair& p) noexcept {
  if (p.heard || p.valid()) return 0;
  switch (p.state) {
    case pair_state::failed:
      return 3;
    case pair_state::frozen:
    case pair_state::waiting:
      return 2;
    case pair_state::in_progress:
      return 1;
    case pair_state::succeeded:
      break;
  }
  return 0;
}

}  // namespace

pair* check_list::form(const door& d, const candidate& remote, std::uint32_t generation, role mine,
                       bool heard, const predicate& must_stay) {
  return form_on({d.proto, d.base, remote.address}, d, remote, generation, mine, heard, must_stay);
}

pair* check_list::form_on(const path& via, const door& d, const candidate& remote,
                          std::uint32_t generation, role mine, bool heard,
                          const predicate& must_stay) {
  if (find(via, generation) != nullptr) return nullptr;
  auto made = std::make_unique<pair>(via, d.best, remote, generation, random_);
  made->priority = priority_of(*made, mine);
  if (pairs_.size() >= max_ && !make_room(*made, heard, must_stay)) {
    ++refused;
    return nullptr;
  }
  pairs_.push_back(std::move(made));
  return pairs_.back().get();
}

bool check_list::make_room(const pair& newcomer, bool heard, const predicate& must_stay) {
  std::array<std::size_t, pair_classes> members{};
  for (const auto& p : pairs_) ++members[class_of(*p)];

  // The largest class gives, and of it the pair that promises least. A class's last pair stays.
  const auto rank = [&](const pair& p) {
    return std::tuple(members[class_of(p)], expendable(p), ~p.priority);
  };
  auto victim = pairs_.end();
  for (auto at = pairs_.begin(); at != pairs_.end(); ++at) {
    const auto& p = **at;
    if (expendable(p) == 0 || must_stay(p)) continue;
    if (members[class_of(p)] < 2 && !heard) continue;
    if (victim == pairs_.end() || rank(p) > rank(**victim)) victim = at;
  }
  if (victim == pairs_.end()) return false;
  const auto mine = class_of(newcomer);
  const bool crowded = members[mine] != 0 && members[mine] >= members[class_of(**victim)];
  if (!heard && crowded && newcomer.priority <= (*victim)->priority) return false;
  pairs_.erase(victim);
  return true;
}

pair* check_list::find(const path& via, std::uint32_t generation) noexcept {
  for (const auto& p : pairs_) {
    if (p->generation == generation && p->via == via) return p.get();
  }
  return nullptr;
}

const pair* check_list::find_any(const path& via) const noexcept {
  const pair* best = nullptr;
  for (const auto& p : pairs_) {
    if (p->via == via && (best == nullptr || p->generation > best->generation)) best = p.get();
  }
  return best;
}

pair* check_list::find(const stun::transaction_id& id) noexcept {
  for (const auto& p : pairs_) {
    if (p->checks.owns(id)) return p.get();
  }
  return nullptr;
}

pair* check_list::next_waiting(const local_candidates& locals, std::uint32_t generation) noexcept {
  pair* best = nullptr;
  promise best_promise{};
  for (const auto& p : pairs_) {
    if (p->state != pair_state::waiting || p->generation != generation || p->due) continue;
    const auto* d = locals.find(p->via.proto, p->via.local);
    const auto promised = promise_of(*p, d != nullptr && d->mapped);
    const auto starts = started_[class_of(*p)];
    const auto best_starts = best == nullptr ? 0 : started_[class_of(*best)];
    if (best == nullptr || starts < best_starts ||
        (starts == best_starts && promised > best_promise)) {
      best = p.get();
      best_promise = promised;
    }
  }
  return best;
}

void check_list::remove_if(const predicate& gone) {
  std::erase_if(pairs_, [&](const std::unique_ptr<pair>& p) { return gone(*p); });
}

void check_list::prioritise(role mine) noexcept {
  for (const auto& p : pairs_) p->priority = priority_of(*p, mine);
}

std::size_t check_list::waiting(std::uint32_t generation) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(pairs_, [&](const auto& p) {
    return p->generation == generation && p->state == pair_state::waiting && !p->due;
  }));
}

std::size_t check_list::active(std::uint32_t generation) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(pairs_, [&](const auto& p) {
    return p->generation == generation &&
           (p->state == pair_state::waiting || p->state == pair_state::in_progress);
  }));
}

}  // namespace nat::ice
