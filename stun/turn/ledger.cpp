#include "stun/turn/ledger.hpp"

#include <algorithm>

#include "protocol/base/ensure.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/turn/rest_credentials.hpp"

namespace nat::turn {
namespace {

template <class Table, class Key>
std::size_t count_of(const Table& table, const Key& key) {
  const auto at = table.find(key);
  return at == table.end() ? 0 : at->second;
}

template <class Table, class Key>
void forget_one(Table& table, const Key& key) {
  const auto at = table.find(key);
  ensure(at != table.end());
  if (--at->second == 0) table.erase(at);
}

std::size_t index(bool v4) {
  return v4 ? 0 : 1;
}

}  // namespace

address quota_address(const address& a) noexcept {
  address out = a;
  if (!a.v4) std::fill(out.octets.begin() + 8, out.octets.end(), std::byte{});
  return out;
}

std::string_view quota_name(std::string_view user) noexcept {
  const auto rest = parse_rest_username(user);
  return rest ? rest->name : user;
}

ledger::ledger(const ledger_limits& l)
    : limits_(l),
      ports_{port_pool(l.lowest_port, l.highest_port), port_pool(l.lowest_port, l.highest_port)} {}

std::optional<std::uint16_t> ledger::take_port(bool v4, wish what, random_source& random) {
  auto& pool = ports_[index(v4)];
  switch (what) {
    case wish::even:
      return pool.take_even(random);
    case wish::pair:
      return pool.take_pair(random);
    case wish::any:
      break;
  }
  return pool.take(random);
}

void ledger::give_back(relay_port port) {
  open_[index(port.v4)][port.number] = 0;
  ports_[index(port.v4)].give_back(port.number);
}

void ledger::note_open(const endpoint& bound) {
  auto at = std::ranges::find(bound_, bound.ip);
  if (at == bound_.end()) {
    if (bound_.size() == UINT16_MAX) return;  // then only its own server knows of it
    at = bound_.insert(bound_.end(), bound.ip);
  }
  open_[index(bound.ip.v4)][bound.port] = static_cast<std::uint16_t>(at - bound_.begin() + 1);
}

std::optional<address> ledger::bound_at(relay_port port) const {
  const auto at = open_[index(port.v4)][port.number];
  return at == 0 ? std::nullopt : std::optional(bound_[at - 1U]);
}

ledger::entry ledger::enter(std::string_view name, const address& client) {
  if (count_of(per_name_, name) >= limits_.max_allocations_per_name ||
      count_of(per_address_, client) >= limits_.max_allocations_per_address) {
    return entry::over_quota;
  }
  if (allocations_ >= limits_.max_allocations) return entry::full;
  ++allocations_;
  ++per_name_[std::string(name)];
  ++per_address_[client];
  return entry::granted;
}

void ledger::leave(std::string_view name, const address& client) {
  --allocations_;
  forget_one(per_name_, name);
  forget_one(per_address_, client);
}

bool ledger::may_reserve(std::string_view user) const {
  const auto mine =
      std::ranges::count(reservations_, quota_name(user),
                         [](const reservation& kept) { return quota_name(kept.user); });
  return reservations_.size() < limits_.max_reservations &&
         static_cast<std::size_t>(mine) < limits_.max_reservations_per_name;
}

bool ledger::reserve(relay_port port, std::string_view user, const std::array<std::byte, 8>& token,
                     time_point expires) {
  if (!ledger::may_reserve(user)) return false;
  reservations_.push_back({port, std::string(user), token, expires});
  look_at_ = std::min(look_at_, expires);
  return true;
}

std::optional<relay_port> ledger::redeem(std::string_view user, byte_view token, time_point now) {
  const auto at = std::ranges::find_if(reservations_, [&](const reservation& kept) {
    return crypto::equal_constant_time(kept.token, token) && kept.user == user &&
           kept.expires > now;
  });
  if (at == reservations_.end()) return std::nullopt;
  const auto port = at->port;
  reservations_.erase(at);
  return port;
}

void ledger::handle_timeout(time_point now) {
  if (now < look_at_) return;
  look_at_ = time_point::max();
  std::erase_if(reservations_, [&](const reservation& r) {
    if (r.expires <= now) {
      ledger::give_back(r.port);
      return true;
    }
    look_at_ = std::min(look_at_, r.expires);
    return false;
  });
}

std::optional<time_point> ledger::next_timeout() const {
  return look_at_ == time_point::max() ? std::nullopt : std::optional(look_at_);
}

}  // namespace nat::turn
