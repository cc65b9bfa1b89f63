#pragma once

// The server's tables and the functions that its parts call of each other. Inside stun/turn/server*
// only: server.cpp dispatches, server_auth.cpp says who asks, server_allocate.cpp,
// server_manage.cpp answer requests, server_relay.cpp carries data.

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "stun/turn/allocation.hpp"

namespace nat::turn {

// Five-tuples and endpoints are hashed as integers under a secret, never as text.
struct seeded_hash {
  std::uint64_t seed;
  std::size_t operator()(const endpoint&) const noexcept;
  std::size_t operator()(const path&) const noexcept;
};

struct relay {
  enum class status : std::uint8_t { free, opening, open, abandoned };
  status is = status::free;
  endpoint bind, announced;
  std::uint32_t owner = no_allocation;
};

// A request on its way through a handler.
struct server_request {
  const path& from;
  stun::message_view message;
  time_point now;
  seal sealed;
  const stun::long_term_key* key = nullptr;  // set once authenticated
  std::string_view user = {};
};

struct server::state {
  state(server_config, random_source&, std::int64_t unix_seconds, time_point now);

  // server.cpp
  result handle_client(const path& from, byte_view datagram, time_point now);
  void handle_request(const path& from, stun::message_view, time_point now);
  void handle_timeout(time_point now);
  void expire(time_point now);  // allocations of this server
  [[nodiscard]] allocation* find(const path& client);
  void remove(allocation&);
  void set_expiry(allocation&, time_point when);
  void set_own_addresses(std::vector<address>);
  [[nodiscard]] std::int64_t unix_time(time_point now) const;

  // server_reply.cpp
  template <class Fill>
  void succeed(const server_request&, Fill&&);
  void refuse(const server_request&, refusal);
  void refuse_unknown(const server_request&, std::span<const std::uint16_t> types);
  void challenge(const server_request&, refusal);  // 401 or 438 with realm and nonce
  void send(const path& from, std::optional<byte_view> message);
  [[nodiscard]] bool may_challenge(const path& from, time_point now);

  // server_auth.cpp: the key of whoever sent it, or nothing, then it has been refused.
  [[nodiscard]] std::optional<stun::long_term_key> authenticate(server_request&, const allocation*);
  [[nodiscard]] std::optional<std::string> password_of(std::string_view user, time_point now) const;
  [[nodiscard]] std::optional<std::string_view> user_name(const stun::message_view&) const;

  // server_allocate.cpp
  void allocate(const server_request&, allocation* existing);
  void start_allocation(const server_request&, const std::array<bool, 2>& wanted, pending_allocate);
  void redeem(const server_request&, byte_view token, duration lifetime);
  [[nodiscard]] allocation* add_allocation(const server_request&, const pending_allocate&);
  [[nodiscard]] bool open_relays(allocation&, bool v4, bool v6);
  void advance(allocation&, time_point now);
  void complete(allocation&, time_point now);
  void answer_allocate(const allocation&, const seal&, byte_view token, time_point now);
  void fail_allocation(allocation&, refusal, time_point now);
  [[nodiscard]] std::optional<relay_address> relay_address_for(bool v4, const path& client) const;
  [[nodiscard]] address announced(const address& bound) const;
  void add_relaying(const address&);
  [[nodiscard]] relay_id open_relay_at(const endpoint& bind, const address& announced,
                                       std::uint32_t owner);
  void close(relay_id);
  void relay_answered(relay_id, bool opened, time_point now);

  // server_manage.cpp
  void refresh(const server_request&, allocation&);
  void create_permission(const server_request&, allocation&);
  void channel_bind(const server_request&, allocation&);
  [[nodiscard]] std::optional<refusal> judge(const allocation&, const address& peer, bool& own);
  [[nodiscard]] bool permit(allocation&, const address& peer, bool own, time_point now);

  // server_relay.cpp
  forward relay_channel_data(const path& from, byte_view datagram, time_point now);
  forward relay_send(const path& from, stun::message_view, time_point now);
  forward relay_out(const allocation&, const endpoint& peer, bool own, byte_view data,
                    bool dont_fragment, time_point now);
  forward handle_peer(relay_id, const endpoint& peer, byte_view data, time_point now);
  [[nodiscard]] endpoint as_announced(const endpoint& peer) const;

  server_config config;
  random_source& random;
  std::int64_t unix_start;
  time_point clock_start;
  turn::nonce_key nonce_secret;
  seeded_hash hash;
  std::map<std::string, const server_user*, std::less<>> users;
  std::map<std::array<std::byte, 32>, const server_user*> users_by_hash;

  std::vector<std::unique_ptr<allocation>> allocations;
  std::vector<std::uint32_t> free_allocations;
  std::unordered_map<path, std::uint32_t, seeded_hash> by_client;
  std::set<std::pair<time_point, std::uint32_t>> expiries;

  std::vector<relay> relays;
  std::vector<relay_id> free_relays;
  std::unordered_map<endpoint, relay_id, seeded_hash> by_relayed;
  std::unique_ptr<ledger> own_books;
  ledger& books;

  std::deque<transmit> outbox;
  std::deque<server_event> events;
  server_counters counted;

  // Challenges sent in this second, by a hash of the client's address: fixed in size, so that
  // what was not authenticated makes no state.
  std::array<std::uint16_t, 4096> challenges{};
  time_point challenges_since;
};

inline constexpr std::size_t response_buffer = 512;

template <class Fill>
void server::state::succeed(const server_request& r, Fill&& fill) {
  std::array<std::byte, response_buffer> buffer;
  stun::message_writer writer(buffer, {r.message.type().method, stun::kind::success},
                              r.message.id());
  fill(writer);
  send(r.from, writer.finish_signed(r.key->view(), r.sealed.integrity, r.sealed.fingerprint));
}

}  // namespace nat::turn
