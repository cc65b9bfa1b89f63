#pragma once

// The ports and quotas that the TURN servers of all event loops share, behind one lock: it is taken
// a few times for an allocation, on every tick, and for data only between two relayed addresses of
// different loops.

#include <mutex>

#include "stun/turn/ledger.hpp"

namespace nat::signaling::io {

class shared_ledger final : public turn::ledger {
 public:
  using turn::ledger::ledger;

  std::optional<std::uint16_t> take_port(bool v4, wish what, random_source& random) override {
    const std::lock_guard hold(lock_);
    return ledger::take_port(v4, what, random);
  }
  void give_back(turn::relay_port port) override {
    const std::lock_guard hold(lock_);
    ledger::give_back(port);
  }
  void note_open(const endpoint& bound) override {
    const std::lock_guard hold(lock_);
    ledger::note_open(bound);
  }
  std::optional<address> bound_at(turn::relay_port port) const override {
    const std::lock_guard hold(lock_);
    return ledger::bound_at(port);
  }
  entry enter(std::string_view name, const address& client) override {
    const std::lock_guard hold(lock_);
    return ledger::enter(name, client);
  }
  void leave(std::string_view name, const address& client) override {
    const std::lock_guard hold(lock_);
    ledger::leave(name, client);
  }
  bool may_reserve(std::string_view user) const override {
    const std::lock_guard hold(lock_);
    return ledger::may_reserve(user);
  }
  bool reserve(turn::relay_port port, std::string_view user, const std::array<std::byte, 8>& token,
               time_point expires) override {
    const std::lock_guard hold(lock_);
    return ledger::reserve(port, user, token, expires);
  }
  std::optional<turn::relay_port> redeem(std::string_view user, byte_view token,
                                         time_point now) override {
    const std::lock_guard hold(lock_);
    return ledger::redeem(user, token, now);
  }
  void handle_timeout(time_point now) override {
    const std::lock_guard hold(lock_);
    ledger::handle_timeout(now);
  }
  std::optional<time_point> next_timeout() const override {
    const std::lock_guard hold(lock_);
    return ledger::next_timeout();
  }

 private:
  mutable std::mutex lock_;
};

}  // namespace nat::signaling::io
