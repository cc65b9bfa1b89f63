#include "ice/remote_candidates.hpp"

#include <algorithm>
#include <array>

namespace nat::ice {

remote_candidates::result remote_candidates::add(const candidate& c) {
  const auto at = std::ranges::find_if(all_, [&](const candidate& other) {
    return other.proto == c.proto && other.address == c.address;
  });
  if (at != all_.end()) {
    const bool learned = at->kind == candidate_kind::peer_reflexive;
    if (!learned || c.kind == candidate_kind::peer_reflexive) return result::known;
    *at = c;
    return result::updated;
  }
  if (all_.size() >= max_) return result::refused;
  all_.push_back(c);
  return result::added;
}

std::optional<candidate> remote_candidates::evict(
    const std::function<bool(const candidate&)>& may_go) {
  std::array<std::size_t, 8> of_kind{};
  const auto kind = [](const candidate& c) {
    return static_cast<std::size_t>(c.kind) * 2 + (c.address.ip.v4 ? 1 : 0);
  };
  for (const auto& c : all_) ++of_kind[kind(c)];

  auto victim = all_.end();
  for (auto at = all_.begin(); at != all_.end(); ++at) {
    if (!may_go(*at)) continue;
    const auto rank = [&](const candidate& c) {
      return std::pair(of_kind[kind(c)], UINT32_MAX - c.priority);
    };
    if (victim == all_.end() || rank(*at) > rank(*victim)) victim = at;
  }
  if (victim == all_.end()) return std::nullopt;
  auto gone = *victim;
  all_.erase(victim);
  return gone;
}

const candidate* remote_candidates::find(transport proto, const endpoint& where) const noexcept {
  for (const auto& c : all_) {
    if (c.proto == proto && c.address == where) return &c;
  }
  return nullptr;
}

void remote_candidates::clear() {
  all_.clear();
  ended = false;
}

}  // namespace nat::ice
