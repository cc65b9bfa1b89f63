#include "stun/turn/client_peers.hpp"

#include <algorithm>

#include "stun/turn/channel_data.hpp"

namespace nat::turn {
namespace {

template <class Entry>
Entry* find_peer(std::vector<Entry>& entries, const auto& peer) {
  const auto at = std::ranges::find(entries, peer, &Entry::peer);
  return at == entries.end() ? nullptr : &*at;
}

template <class Entry>
std::optional<time_point> first_renewal(const std::vector<Entry>& entries) {
  std::optional<time_point> first;
  for (const auto& entry : entries) {
    if (entry.state == grant::active && !entry.renewing) first = earlier(first, entry.renew_at);
  }
  return first;
}

}  // namespace

permission* peer_table::find_permission(const address& peer) {
  return find_peer(permissions_, peer);
}

channel* peer_table::find_channel(const endpoint& peer) {
  return find_peer(channels_, peer);
}

channel* peer_table::find_channel(std::uint16_t number) {
  const auto at = std::ranges::find(channels_, number, &channel::number);
  return at == channels_.end() ? nullptr : &*at;
}

bool peer_table::has_channel(const address& peer) const {
  return std::ranges::any_of(
      channels_, [&](const channel& c) { return c.peer.ip == peer && c.state != grant::refused; });
}

permission* peer_table::add_permission(const address& peer, time_point now) {
  if (auto* known = find_permission(peer)) return known;
  if (permissions_.size() >= max_permissions_) {
    // Refused ones first, then by when they were last used.
    const auto rank = [](const permission& p) {
      return std::pair(p.state != grant::refused, p.last_used);
    };
    auto victim = permissions_.end();
    for (auto p = permissions_.begin(); p != permissions_.end(); ++p) {
      const bool idle = p->state == grant::active && !p->renewing &&
                        now - p->last_used >= idle_before_eviction && !has_channel(p->peer);
      if (p->state != grant::refused && !idle) continue;
      if (victim == permissions_.end() || rank(*p) < rank(*victim)) victim = p;
    }
    if (victim == permissions_.end()) return nullptr;
    permissions_.erase(victim);
  }
  permissions_.push_back({.peer = peer, .last_used = now});
  return &permissions_.back();
}

channel* peer_table::add_channel(const endpoint& peer) {
  if (auto* known = find_channel(peer)) return known;
  if (channels_.size() >= max_channels_ || next_number_ > last_channel) return nullptr;
  channels_.push_back({.peer = peer, .number = next_number_++});
  return &channels_.back();
}

std::optional<time_point> peer_table::next_renewal() const {
  return earlier(first_renewal(permissions_), first_renewal(channels_));
}

}  // namespace nat::turn
