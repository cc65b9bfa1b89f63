// Allocate, RFC 8656, 7.2: checks, relayed sockets, reservations.

#include <utility>

#include "protocol/base/ensure.hpp"
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
  const auto lifetime = granted(message, config);
  if (message.has<stun::attr::reservation_token>()) {
    const auto token = message.get<stun::attr::reservation_token>();
    if (!token || message.has<stun::attr::even_port>()) return refuse(r, refusal::bad_request);
    return redeem(r, *token, lifetime);
  }
  const bool even = message.has<stun::attr::even_port>();
  const bool reserve = message.get<stun::attr::even_port>().value_or(false);
  if (reserve && !books.may_reserve(r.user)) return refuse(r, refusal::capacity);
  start_allocation(r, asked->wanted, {r.sealed, lifetime, reserve, even, asked->additional});
}

void server::state::start_allocation(const server_request& r, const std::array<bool, 2>& wanted,
                                     pending_allocate pending) {
  if (!relay_address_for(true, r.from) && wanted[0]) {
    return refuse(r, refusal::family_unsupported);
  }
  const bool v6 = wanted[1] && relay_address_for(false, r.from);
  if (wanted[1] && !v6 && !pending.additional) return refuse(r, refusal::family_unsupported);
  add_relaying(r.from.local.ip);
  auto* a = add_allocation(r, pending);
  if (a != nullptr && !open_relays(*a, wanted[0], v6)) {
    fail_allocation(*a, refusal::capacity, r.now);
  }
}

// Counts against the quotas from here on, until remove(). Null where they are used up: refused.
allocation* server::state::add_allocation(const server_request& r,
                                          const pending_allocate& pending) {
  switch (books.enter(quota_name(r.user), quota_address(r.from.remote.ip))) {
    case ledger::entry::over_quota:
      refuse(r, refusal::quota);
      return nullptr;
    case ledger::entry::full:
      refuse(r, refusal::capacity);
      return nullptr;
    case ledger::entry::granted:
      break;
  }
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
  a.pending = std::make_unique<pending_allocate>(pending);
  ++counted.allocations;
  return &a;
}

bool server::state::open_relays(allocation& a, bool v4, bool v6) {
  auto& p = *a.pending;
  for (const bool is_v4 : {true, false}) {
    if (!(is_v4 ? v4 : v6)) continue;
    const auto wish = p.reserve ? ledger::wish::pair
                      : p.even  ? ledger::wish::even
                                : ledger::wish::any;
    const auto port = books.take_port(is_v4, wish, random);
    if (!port) return false;
    const auto at = *relay_address_for(is_v4, a.client);
    a.relays[is_v4 ? 0 : 1] = open_relay_at({at.bind, *port}, at.announced, a.index);
    if (p.reserve) {
      p.kept = static_cast<std::uint16_t>(*port + 1);
      p.kept_v4 = is_v4;
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

// What clients know a relayed address as that is bound there.
address server::state::announced(const address& bound) const {
  const auto& set = bound.v4 ? config.v4 : config.v6;
  if (set && set->bind == bound) return set->announced;
  return (bound.v4 ? config.external_v4 : config.external_v6).value_or(bound);
}

void server::state::add_relaying(const address& a) {
  for (auto* all : {&config.peers.own, &config.peers.relaying}) {
    if (std::ranges::find(*all, a) == all->end()) all->push_back(a);
  }
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
  books.give_back({r.bind.ip.v4, r.bind.port});
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
    books.note_open(r.bind);
    if (was == relay::status::abandoned) return close(id);
  } else {
    books.give_back({r.bind.ip.v4, r.bind.port});
    r.is = relay::status::free;
    free_relays.push_back(id);
  }
  if (owner == no_allocation || !allocations[owner]) return;
  auto& a = *allocations[owner];
  if (!a.pending) return;
  if (opened) return advance(a, now);

  auto& p = *a.pending;
  const bool was_v4 = r.bind.ip.v4;
  a.relays[was_v4 ? 0 : 1] = no_relay;
  const bool again = !p.redeems && ++p.tries < max_port_tries;
  if (!again && p.additional && !was_v4) return advance(a, now);  // without IPv6
  // A pair is tried again as a pair.
  if (p.kept != 0) books.give_back({p.kept_v4, std::exchange(p.kept, std::uint16_t{0})});
  if (!again || !open_relays(a, was_v4, !was_v4)) fail_allocation(a, refusal::capacity, now);
}

// Answers once every socket that is wanted is open.
void server::state::advance(allocation& a, time_point now) {
  const auto settled = [&](relay_id id) {
    return id == no_relay || relays[id].is == relay::status::open;
  };
  if (settled(a.relays[0]) && settled(a.relays[1])) complete(a, now);
}

void server::state::complete(allocation& a, time_point now) {
  const auto p = std::move(a.pending);
  set_expiry(a, now + p->lifetime);
  ++counted.created;
  std::array<std::byte, 8> token{};
  bool reserved = false;
  if (p->kept != 0) {
    random.fill(token);
    const relay_port next{p->kept_v4, p->kept};
    reserved = books.reserve(next, a.user, token, now + config.reservation_lifetime);
    if (!reserved) books.give_back(next);
  }
  answer_allocate(a, p->sealed, reserved ? byte_view(token) : byte_view{}, now);
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

// RFC 8656, 7.2, step 5: the port that an earlier EVEN-PORT kept. Nothing has it open since then:
// another program may have taken it, and then there is no other for this token.
void server::state::redeem(const server_request& r, byte_view token, duration lifetime) {
  const auto port = books.redeem(r.user, token, r.now);
  if (!port) return refuse(r, refusal::capacity);
  const auto at = relay_address_for(port->v4, r.from);
  auto* a = at ? add_allocation(r, {.sealed = r.sealed,
                                    .lifetime = lifetime,
                                    .reserve = false,
                                    .even = false,
                                    .additional = false,
                                    .redeems = true})
               : nullptr;
  if (a == nullptr) {
    books.give_back(*port);
    if (!at) refuse(r, refusal::family_unsupported);
    return;
  }
  a->relays[port->v4 ? 0 : 1] = open_relay_at({at->bind, port->number}, at->announced, a->index);
}

}  // namespace nat::turn
