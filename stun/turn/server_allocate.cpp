// Allocate, RFC 8656, 7.2: checks, relayed sockets, reservations.

#include "protocol/base/ensure.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/turn/server_state.hpp"

namespace nat::turn {
namespace {

constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint8_t family_v4 = 1, family_v6 = 2;
// Ports that the driver can't bind, because another program has them, before 508.
constexpr unsigned max_port_tries = 8;

duration granted(const stun::message_view& message, const server_config& config) {
  const std::chrono::seconds asked{message.get<stun::attr::lifetime>().value_or(0)};
  return std::clamp<duration>(asked, config.default_lifetime, config.max_lifetime);
}

struct families {
  std::array<bool, 2> wanted{};  // IPv4, IPv6
  bool additional = false;
};

// RFC 8656, 7.2, steps 5 to 7.
std::expected<families, refusal> requested_families(const stun::message_view& message) {
  const bool has_requested = message.has<stun::attr::requested_address_family>();
  const bool has_additional = message.has<stun::attr::additional_address_family>();
  const bool has_token = message.has<stun::attr::reservation_token>();
  if (has_additional) {
    const auto reserve = message.get<stun::attr::even_port>();
    if (has_requested || has_token || reserve.value_or(false) ||
        message.get<stun::attr::additional_address_family>() != family_v6) {
      return std::unexpected(refusal::bad_request);
    }
    return families{{true, true}, true};
  }
  if (!has_requested) return families{{true, false}};
  if (has_token) return std::unexpected(refusal::bad_request);
  const auto family = message.get<stun::attr::requested_address_family>();
  if (!family) return std::unexpected(refusal::bad_request);
  if (family == family_v4) return families{{true, false}};
  if (family == family_v6) return families{{false, true}};
  return std::unexpected(refusal::family_unsupported);
}

}  // namespace

void server::state::allocate(const server_request& r, allocation* existing) {
  const auto& message = r.message;
  if (existing != nullptr) {
    if (existing->created_by != message.id()) return refuse(r, refusal::allocation_mismatch);
    // A retransmission: answered again, or by the answer that is still to come.
    if (!existing->pending) answer_allocate(*existing, r.sealed, {}, r.now);
    return;
  }
  const auto transport = message.get<stun::attr::requested_transport>();
  if (!transport) return refuse(r, refusal::bad_request);
  if (*transport != protocol_udp) return refuse(r, refusal::transport);
  const auto asked = requested_families(message);
  if (!asked) return refuse(r, asked.error());
  if (over_quota(r)) return refuse(r, refusal::quota);
  if (allocations.size() - free_allocations.size() >= config.max_allocations) {
    return refuse(r, refusal::capacity);
  }
  const auto lifetime = granted(message, config);
  if (message.has<stun::attr::reservation_token>()) {
    const auto token = message.get<stun::attr::reservation_token>();
    if (!token || message.has<stun::attr::even_port>()) return refuse(r, refusal::bad_request);
    return redeem(r, *token, lifetime);
  }
  const bool even = message.has<stun::attr::even_port>();
  const bool reserve = message.get<stun::attr::even_port>().value_or(false);
  if (reserve && !may_reserve(r.user)) return refuse(r, refusal::capacity);
  start_allocation(r, asked->wanted, {r.sealed, lifetime, reserve, even, asked->additional});
}

bool server::state::over_quota(const server_request& r) const {
  const auto names = per_name.find(quota_name(r.user));
  const auto addresses = per_address.find(quota_address(r.from.remote.ip));
  return (names != per_name.end() && names->second >= config.max_allocations_per_name) ||
         (addresses != per_address.end() &&
          addresses->second >= config.max_allocations_per_address);
}

bool server::state::may_reserve(std::string_view user) const {
  const auto mine = std::ranges::count(reservations, quota_name(user), [](const reservation& kept) {
    return quota_name(kept.user);
  });
  return reservations.size() < config.max_reservations &&
         static_cast<std::size_t>(mine) < config.max_reservations_per_name;
}

void server::state::start_allocation(const server_request& r, const std::array<bool, 2>& wanted,
                                     pending_allocate pending) {
  if (!relay_address_for(true, r.from) && wanted[0]) {
    return refuse(r, refusal::family_unsupported);
  }
  const bool v6 = wanted[1] && relay_address_for(false, r.from);
  if (wanted[1] && !v6 && !pending.additional) return refuse(r, refusal::family_unsupported);
  add_own(r.from.local.ip);
  auto& a = add_allocation(r);
  a.pending = std::make_unique<pending_allocate>(pending);
  if (!open_relays(a, wanted[0], v6)) fail_allocation(a, refusal::capacity, r.now);
}

// Counts against the quotas from here on, until remove().
allocation& server::state::add_allocation(const server_request& r) {
  std::uint32_t index = static_cast<std::uint32_t>(allocations.size());
  if (free_allocations.empty()) {
    allocations.emplace_back();
  } else {
    index = free_allocations.back();
    free_allocations.pop_back();
  }
  auto& a = *(allocations[index] = std::make_unique<allocation>());
  a.client = r.from;
  a.index = index;
  a.created_by = r.message.id();
  a.user = r.user;
  a.key = *r.key;
  by_client[r.from] = index;
  set_expiry(a, r.now + config.default_lifetime);
  ++per_name[std::string(quota_name(a.user))];
  ++per_address[quota_address(r.from.remote.ip)];
  ++counted.allocations;
  return a;
}

bool server::state::open_relays(allocation& a, bool v4, bool v6) {
  auto& p = *a.pending;
  for (const bool is_v4 : {true, false}) {
    if (!(is_v4 ? v4 : v6)) continue;
    auto& pool = ports[is_v4 ? 0 : 1];
    const auto port = p.reserve ? pool.take_pair(random)
                      : p.even  ? pool.take_even(random)
                                : pool.take(random);
    if (!port) return false;
    const auto at = *relay_address_for(is_v4, a.client);
    a.relays[is_v4 ? 0 : 1] = open_relay_at({at.bind, *port}, at.announced, a.index);
    if (p.reserve) {
      const auto next = static_cast<std::uint16_t>(*port + 1);
      p.reserved = open_relay_at({at.bind, next}, at.announced, a.index);
    }
  }
  return true;
}

std::optional<relay_address> server::state::relay_address_for(bool v4, const path& client) const {
  if (const auto& set = v4 ? config.v4 : config.v6) return set;
  const auto& reached = client.local.ip;
  if (reached.v4 != v4) return v4 ? config.fallback_v4 : config.fallback_v6;
  if (is_unspecified(reached)) return std::nullopt;
  return relay_address{reached, (v4 ? config.external_v4 : config.external_v6).value_or(reached)};
}

void server::state::add_own(const address& a) {
  auto& own = config.peers.own;
  if (std::ranges::find(own, a) == own.end()) own.push_back(a);
}

relay_id server::state::open_relay_at(const endpoint& bind, const address& announced,
                                      std::uint32_t owner) {
  relay_id id = static_cast<relay_id>(relays.size());
  if (free_relays.empty()) {
    relays.emplace_back();
  } else {
    id = free_relays.back();
    free_relays.pop_back();
  }
  relays[id] = {relay::status::opening, bind, {announced, bind.port}, owner};
  events.push_back(open_relay{id, bind});
  return id;
}

void server::state::close(relay_id id) {
  auto& r = relays[id];
  r.owner = no_allocation;
  if (r.is == relay::status::opening) {
    r.is = relay::status::abandoned;  // the driver's answer is still to come
    return;
  }
  if (r.is != relay::status::open) return;
  by_relayed.erase(r.announced);
  ports[r.bind.ip.v4 ? 0 : 1].give_back(r.bind.port);
  r.is = relay::status::free;
  events.push_back(close_relay{id});
  free_relays.push_back(id);
}

void server::state::relay_answered(relay_id id, bool opened, time_point now) {
  if (id >= relays.size()) return;
  auto& r = relays[id];
  const auto was = r.is;
  if (was != relay::status::opening && was != relay::status::abandoned) return;
  const auto owner = r.owner;
  if (opened) {
    r.is = relay::status::open;
    by_relayed[r.announced] = id;
    if (was == relay::status::abandoned) return close(id);
  } else {
    ports[r.bind.ip.v4 ? 0 : 1].give_back(r.bind.port);
    r.is = relay::status::free;
    free_relays.push_back(id);
  }
  if (owner == no_allocation || !allocations[owner]) return;
  auto& a = *allocations[owner];
  if (!a.pending) return;
  if (opened) return advance(a, now);

  auto& p = *a.pending;
  const bool was_v4 = r.bind.ip.v4;
  for (auto* mine : {a.relays.data(), a.relays.data() + 1, &p.reserved}) {
    if (*mine == id) *mine = no_relay;
  }
  const bool again = ++p.tries < max_port_tries;
  if (!again && p.additional && !was_v4) return advance(a, now);  // without IPv6
  if (p.reserve) {
    // A pair is tried again as a pair.
    for (auto* half : {&a.relays[was_v4 ? 0 : 1], &p.reserved}) {
      if (*half != no_relay) close(*half);
      *half = no_relay;
    }
  }
  if (!again || !open_relays(a, was_v4, !was_v4)) fail_allocation(a, refusal::capacity, now);
}

// Answers once every socket that is wanted is open.
void server::state::advance(allocation& a, time_point now) {
  const auto settled = [&](relay_id id) {
    return id == no_relay || relays[id].is == relay::status::open;
  };
  if (settled(a.relays[0]) && settled(a.relays[1]) && settled(a.pending->reserved)) {
    complete(a, now);
  }
}

void server::state::complete(allocation& a, time_point now) {
  const auto p = std::move(a.pending);
  set_expiry(a, now + p->lifetime);
  ++counted.created;
  std::array<std::byte, 8> token{};
  if (p->reserved != no_relay) {
    random.fill(token);
    relays[p->reserved].owner = no_allocation;
    reservations.push_back({token, p->reserved, a.user, now + config.reservation_lifetime});
  }
  answer_allocate(a, p->sealed, p->reserved != no_relay ? byte_view(token) : byte_view{}, now);
}

// The answer, from what the allocation is: so a retransmission gets the same, but for the token of
// a reservation, which only its first answer has, and the lifetime that is left.
void server::state::answer_allocate(const allocation& a, const seal& sealed, byte_view token,
                                    time_point now) {
  std::array<std::byte, response_buffer> buffer;
  stun::message_writer writer(buffer, {stun::method::allocate, stun::kind::success}, a.created_by);
  for (const auto id : a.relays) {
    if (id != no_relay) writer.put<stun::attr::xor_relayed_address>(relays[id].announced);
  }
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(a.expires - now);
  writer.put<stun::attr::lifetime>(static_cast<std::uint32_t>(left.count()))
      .put<stun::attr::xor_mapped_address>(a.client.remote);
  if (!token.empty()) writer.put<stun::attr::reservation_token>(token);
  send(a.client, writer.finish_signed(a.key.view(), sealed.integrity, sealed.fingerprint));
}

void server::state::fail_allocation(allocation& a, refusal why, time_point now) {
  // The request itself is gone; what its answer needs is its type and transaction.
  std::array<std::byte, stun::header_size> header;
  stun::message_writer writer(header, {stun::method::allocate, stun::kind::request}, a.created_by);
  const auto message = stun::message_view::parse(*writer.finish());
  ensure(message.has_value());
  const auto from = a.client;
  const auto key = a.key;
  const auto sealed = a.pending->sealed;
  remove(a);
  refuse({from, *message, now, sealed, &key}, why);
}

// RFC 8656, 7.2, step 5: the port that an earlier EVEN-PORT kept.
void server::state::redeem(const server_request& r, byte_view token, duration lifetime) {
  const auto at = std::ranges::find_if(reservations, [&](const reservation& kept) {
    return crypto::equal_constant_time(kept.token, token) && kept.user == r.user &&
           kept.expires > r.now;
  });
  if (at == reservations.end()) return refuse(r, refusal::capacity);
  const auto id = at->relay;
  reservations.erase(at);
  auto& a = add_allocation(r);
  a.pending =
      std::make_unique<pending_allocate>(pending_allocate{r.sealed, lifetime, false, false, false});
  a.relays[relays[id].bind.ip.v4 ? 0 : 1] = id;
  relays[id].owner = a.index;
  complete(a, r.now);
}

}  // namespace nat::turn
