#include "ice/local_candidates.hpp"

#include <algorithm>

namespace nat::ice {

local_candidates::result local_candidates::add(const candidate& c, time_point now) {
  const auto same = [&](const candidate& other) {
    return other.proto == c.proto && other.address == c.address && other.base == c.base &&
           other.kind == c.kind;
  };
  if (std::ranges::any_of(all_, same)) return result::known;
  if (all_.size() >= max_) return result::refused;
  all_.push_back(c);

  const auto at = std::ranges::find_if(
      doors_, [&](const door& d) { return d.proto == c.proto && d.base == c.base; });
  const bool reflexive =
      c.kind == candidate_kind::server_reflexive || c.kind == candidate_kind::peer_reflexive;
  if (at == doors_.end()) {
    doors_.push_back({c.proto, c.base, c, c.kind == candidate_kind::relayed, reflexive, now});
    return result::new_door;
  }
  if (c.priority > at->best.priority) at->best = c;
  if (reflexive) at->mapped = true;
  at->announced = now;
  return result::added_to_door;
}

bool local_candidates::remove(const endpoint& base) {
  std::erase_if(all_, [&](const candidate& c) { return c.base == base; });
  return std::erase_if(doors_, [&](const door& d) { return d.base == base; }) != 0;
}

void local_candidates::clear() {
  all_.clear();
  doors_.clear();
  ended = false;
}

const door* local_candidates::find(transport proto, const endpoint& local) const noexcept {
  const door* near = nullptr;
  for (const auto& d : doors_) {
    if (d.proto != proto) continue;
    if (d.base == local) return &d;
    if (proto == transport::tcp && d.base.ip == local.ip) near = &d;
  }
  return near;
}

candidate local_candidates::seen_as(const candidate& paired, const endpoint& mapped,
                                    std::uint32_t check_priority) const {
  if (paired.address == mapped) return paired;
  for (const auto& c : all_) {
    if (c.proto == paired.proto && c.base == paired.base && c.address == mapped) return c;
  }
  candidate reflexive = paired;
  reflexive.kind = candidate_kind::peer_reflexive;
  reflexive.address = mapped;
  reflexive.priority = check_priority;
  reflexive.foundation = "prflx";
  reflexive.related = paired.base;
  return reflexive;
}

}  // namespace nat::ice
