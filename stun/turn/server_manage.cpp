// Refresh, CreatePermission and ChannelBind: RFC 8656, 8.2, 10.2 and 12.2.

#include "stun/turn/channel_data.hpp"
#include "stun/turn/server_state.hpp"

namespace nat::turn {
namespace {

constexpr std::size_t max_peers_of_a_request = 16;

}  // namespace

void server::state::refresh(const server_request& r, allocation& a) {
  const bool has_family = r.message.has<stun::attr::requested_address_family>();
  std::size_t family = 2;
  if (has_family) {
    const auto value = r.message.get<stun::attr::requested_address_family>();
    if (value != 1 && value != 2) return refuse(r, refusal::peer_family);
    family = *value - 1U;
    if (a.relays[family] == no_relay) return refuse(r, refusal::peer_family);
  }
  const auto asked = r.message.get<stun::attr::lifetime>();
  if (r.message.has<stun::attr::lifetime>() && !asked) return refuse(r, refusal::bad_request);
  const auto answer = [&](duration lifetime) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(lifetime).count();
    succeed(r, [&](stun::message_writer& w) {
      w.put<stun::attr::lifetime>(static_cast<std::uint32_t>(seconds));
    });
  };
  if (asked == 0U) {
    answer(duration::zero());
    const bool keeps_other = has_family && a.relays[1 - family] != no_relay;
    if (keeps_other) {
      close(a.relays[family]);
      a.relays[family] = no_relay;
    } else {
      ++counted.released;
      remove(a);
    }
    return;
  }
  const std::chrono::seconds wish{asked.value_or(0)};
  const auto lifetime = std::clamp<duration>(wish, config.default_lifetime, config.max_lifetime);
  set_expiry(a, r.now + lifetime);
  answer(lifetime);
}

// All or none (RFC 8656, 10.2).
void server::state::create_permission(const server_request& r, allocation& a) {
  std::array<std::pair<address, bool>, max_peers_of_a_request> peers;
  std::size_t count = 0;
  while (const auto peer = r.message.get_nth<stun::attr::xor_peer_address>(count)) {
    if (count == peers.size()) return refuse(r, refusal::capacity);
    peers[count].first = peer->ip;
    if (const auto why = judge(a, peer->ip, peers[count].second)) return refuse(r, *why);
    ++count;
  }
  if (count == 0) return refuse(r, refusal::bad_request);
  const auto fresh = std::count_if(peers.begin(), peers.begin() + count, [&](const auto& peer) {
    return a.permission_for(peer.first, r.now) == nullptr;
  });
  std::erase_if(a.permissions, [&](const granted_permission& p) { return p.expires <= r.now; });
  if (a.permissions.size() + static_cast<std::size_t>(fresh) > config.max_permissions) {
    return refuse(r, refusal::capacity);
  }
  for (std::size_t i = 0; i < count; ++i) {
    (void)permit(a, peers[i].first, peers[i].second, r.now);
  }
  succeed(r, [](stun::message_writer&) {});
}

void server::state::channel_bind(const server_request& r, allocation& a) {
  const auto number = r.message.get<stun::attr::channel_number>();
  const auto peer = r.message.get<stun::attr::xor_peer_address>();
  if (!number || !peer || !is_channel_number_5766(*number)) {
    return refuse(r, refusal::bad_request);
  }
  bool own = false;
  if (const auto why = judge(a, peer->ip, own)) return refuse(r, *why);
  std::erase_if(a.channels, [&](const bound_channel& c) { return c.expires <= r.now; });
  bound_channel* bound = nullptr;
  for (auto& c : a.channels) {
    if ((c.number == *number) != (c.peer == *peer)) return refuse(r, refusal::bad_request);
    if (c.number == *number) bound = &c;
  }
  if (bound == nullptr && a.channels.size() >= config.max_channels) {
    return refuse(r, refusal::capacity);
  }
  if (!permit(a, peer->ip, own, r.now)) return refuse(r, refusal::capacity);
  if (bound == nullptr) bound = &a.channels.emplace_back(bound_channel{*peer, *number, own, {}});
  bound->own = own;
  bound->expires = r.now + config.channel_lifetime;
  succeed(r, [](stun::message_writer&) {});
}

std::optional<refusal> server::state::judge(const allocation& a, const address& peer, bool& own) {
  if (a.relay_for(peer) == no_relay) return refusal::peer_family;
  const auto verdict = config.peers.judge(peer);
  own = verdict == peer_policy::verdict::own;
  if (verdict == peer_policy::verdict::refused) return refusal::forbidden;
  return std::nullopt;
}

bool server::state::permit(allocation& a, const address& peer, bool own, time_point now) {
  const auto until = now + config.permission_lifetime;
  const auto at = std::ranges::find(a.permissions, peer, &granted_permission::peer);
  if (at != a.permissions.end()) {
    at->own = own;  // this machine's addresses change
    at->expires = until;
    return true;
  }
  std::erase_if(a.permissions, [&](const granted_permission& p) { return p.expires <= now; });
  if (a.permissions.size() >= config.max_permissions) return false;
  a.permissions.push_back({peer, own, until});
  return true;
}

}  // namespace nat::turn
