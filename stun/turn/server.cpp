#include "stun/turn/server.hpp"

#include <cstring>

#include "protocol/base/ensure.hpp"
#include "stun/turn/channel_data.hpp"
#include "stun/turn/rest_credentials.hpp"
#include "stun/turn/server_state.hpp"

namespace nat::turn {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t value) noexcept {
  h = (h ^ value) * 0x9e3779b97f4a7c15;
  return h ^ (h >> 32);
}

std::uint64_t mix(std::uint64_t h, const endpoint& e) noexcept {
  std::uint64_t half[2];
  std::memcpy(half, e.ip.octets.data(), sizeof half);
  return mix(mix(mix(h, half[0]), half[1]), e.port + (e.ip.v4 ? 0x10000U : 0U));
}

nonce_key random_key(random_source& random) {
  nonce_key key;
  random.fill(key);
  return key;
}

}  // namespace

std::size_t seeded_hash::operator()(const endpoint& e) const noexcept {
  return mix(seed, e);
}

std::size_t seeded_hash::operator()(const path& p) const noexcept {
  return mix(mix(mix(seed, p.remote), p.local), static_cast<std::uint64_t>(p.proto));
}

server::state::state(server_config c, random_source& r, std::int64_t unix_seconds, time_point now)
    : config(std::move(c)),
      random(r),
      unix_start(unix_seconds),
      clock_start(now),
      nonce_secret(config.nonce_key ? *config.nonce_key : random_key(r)),
      hash{random_u64(r)},
      by_client(16, hash),
      by_relayed(16, hash),
      own_books(config.books ? nullptr : std::make_unique<ledger>(config.limits)),
      books(config.books ? *config.books : *own_books),
      challenges_since(now) {
  for (const auto& user : config.users) {
    users[user.name] = &user;
    users_by_hash[stun::make_userhash(user.name, config.realm)] = &user;
  }
  set_own_addresses(std::move(config.peers.own));
}

void server::state::set_own_addresses(std::vector<address> all) {
  auto& policy = config.peers;
  policy.own = std::move(all);
  for (const auto* relayed : {&config.v4, &config.v6, &config.fallback_v4, &config.fallback_v6}) {
    if (!*relayed) continue;
    add_relaying((*relayed)->bind);
    add_relaying((*relayed)->announced);
  }
  if (config.external_v4) add_relaying(*config.external_v4);
  if (config.external_v6) add_relaying(*config.external_v6);
  const auto relaying = policy.relaying;
  for (const auto& a : relaying) add_relaying(a);
}

server::result server::state::handle_client(const path& from, byte_view datagram, time_point now) {
  if (datagram.empty()) return {};
  const auto first = std::to_integer<unsigned>(datagram[0]);
  if (first >= first_channel >> 8U && first <= last_channel_5766 >> 8U) {
    return {true, relay_channel_data(from, datagram, now)};
  }
  const auto message = stun::message_view::parse(datagram);
  if (!message) {
    ++counted.malformed;
    return {};
  }
  const auto [method, kind] = message->type();
  if (method == stun::method::send && kind == stun::kind::indication) {
    return {true, relay_send(from, *message, now)};
  }
  const bool ours = method == stun::method::allocate || method == stun::method::refresh ||
                    method == stun::method::create_permission ||
                    method == stun::method::channel_bind;
  if (ours && kind == stun::kind::request) handle_request(from, *message, now);
  return {ours, {}};
}

void server::state::handle_request(const path& from, stun::message_view message, time_point now) {
  server_request r{from, message, now, {}};
  r.sealed.fingerprint = message.has<stun::attr::fingerprint>();
  expire(now);  // what has expired is gone, whenever the driver says so
  auto* own = find(from);
  const auto key = authenticate(r, own);
  if (!key) return;
  r.key = &*key;
  std::array<std::uint16_t, 8> unknown;
  if (const auto count = message.unknown_required(unknown); count > 0) {
    return refuse_unknown(r, std::span(unknown).first(count));
  }
  const auto method = message.type().method;
  if (method == stun::method::allocate) return allocate(r, own);
  if (own == nullptr || own->pending) return refuse(r, refusal::allocation_mismatch);
  if (own->user != r.user) return refuse(r, refusal::wrong_credentials);
  if (method == stun::method::refresh) return refresh(r, *own);
  if (method == stun::method::create_permission) return create_permission(r, *own);
  channel_bind(r, *own);
}

allocation* server::state::find(const path& client) {
  const auto at = by_client.find(client);
  return at == by_client.end() ? nullptr : allocations[at->second].get();
}

void server::state::set_expiry(allocation& a, time_point when) {
  expiries.erase({a.expires, a.index});
  a.expires = when;
  expiries.emplace(when, a.index);
}

void server::state::remove(allocation& a) {
  for (const auto id : a.relays) {
    if (id != no_relay) close(id);
  }
  if (a.pending && a.pending->kept != 0) books.give_back({a.pending->kept_v4, a.pending->kept});
  expiries.erase({a.expires, a.index});
  by_client.erase(a.client);
  books.leave(quota_name(a.user), quota_address(a.client.remote.ip));
  --counted.allocations;
  free_allocations.push_back(a.index);
  allocations[a.index].reset();
}

void server::state::handle_timeout(time_point now) {
  expire(now);
  books.handle_timeout(now);
}

void server::state::expire(time_point now) {
  while (!expiries.empty() && expiries.begin()->first <= now) {
    ++counted.expired;
    remove(*allocations[expiries.begin()->second]);
  }
}

std::int64_t server::state::unix_time(time_point now) const {
  return unix_start + std::chrono::duration_cast<std::chrono::seconds>(now - clock_start).count();
}

server::server(server_config config, random_source& random, std::int64_t unix_seconds,
               time_point now)
    : state_(std::make_unique<state>(std::move(config), random, unix_seconds, now)) {}
server::~server() = default;
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;

server::result server::handle_client(const path& from, byte_view datagram, time_point now) {
  return state_->handle_client(from, datagram, now);
}

forward server::handle_peer(relay_id id, const endpoint& peer, byte_view data, time_point now) {
  return state_->handle_peer(id, peer, data, now);
}

void server::handle_stream_closed(const path& connection, time_point) {
  if (auto* a = state_->find(connection)) {
    ++state_->counted.released;
    state_->remove(*a);
  }
}

void server::relay_opened(relay_id id, time_point now) {
  state_->relay_answered(id, true, now);
}
void server::relay_failed(relay_id id, time_point now) {
  state_->relay_answered(id, false, now);
}
void server::handle_timeout(time_point now) {
  state_->handle_timeout(now);
}

void server::set_own_addresses(std::vector<address> all) {
  state_->set_own_addresses(std::move(all));
}

void server::set_clock(std::int64_t unix_seconds, time_point now) {
  state_->unix_start = unix_seconds;
  state_->clock_start = now;
}

std::optional<transmit> server::poll_transmit() {
  if (state_->outbox.empty()) return std::nullopt;
  auto out = std::move(state_->outbox.front());
  state_->outbox.pop_front();
  return out;
}

std::optional<server_event> server::poll_event() {
  if (state_->events.empty()) return std::nullopt;
  const auto out = state_->events.front();
  state_->events.pop_front();
  return out;
}

std::optional<time_point> server::next_timeout() const {
  const auto kept = state_->books.next_timeout();
  return state_->expiries.empty() ? kept : earlier(kept, state_->expiries.begin()->first);
}

const server_counters& server::counters() const {
  return state_->counted;
}

bool server::has_allocation(const path& client) const {
  return state_->find(client) != nullptr;
}

}  // namespace nat::turn
