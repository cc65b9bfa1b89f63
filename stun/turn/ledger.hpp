#pragma once

// What TURN servers that relay from the same addresses have in common, one for each event loop:
// which ports are relayed ones, how many allocations each name and client has, ports that EVEN-PORT
// keeps for later (RFC 8656, 7.2). `ledger` is for one server, or for several on one thread; a
// program with more puts a lock around it (derive and forward).

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/random.hpp"
#include "protocol/base/time.hpp"
#include "stun/turn/port_pool.hpp"

namespace nat::turn {

struct ledger_limits {
  std::uint16_t lowest_port = 49152, highest_port = 65535;  // RFC 8656, 7.2
  std::size_t max_allocations = 10'000;
  std::size_t max_allocations_per_name = 64;
  std::size_t max_allocations_per_address = 256;  // of clients; IPv6: a /64
  std::size_t max_reservations = 1024;
  std::size_t max_reservations_per_name = 32;
};

struct relay_port {
  bool v4;
  std::uint16_t number;
};

class ledger {
 public:
  explicit ledger(const ledger_limits&);
  virtual ~ledger() = default;

  enum class wish : std::uint8_t { any, even, pair };  // a pair: an even port and the next one
  [[nodiscard]] virtual std::optional<std::uint16_t> take_port(bool v4, wish, random_source&);
  virtual void give_back(relay_port);
  // A socket is there, bound to that address; until the port is given back.
  virtual void note_open(const endpoint& bound);
  // Where; nullopt: nothing of ours has that port.
  [[nodiscard]] virtual std::optional<address> bound_at(relay_port) const;

  // Counts an allocation until leave() with the same words. `client` as quota_address() has it.
  enum class entry : std::uint8_t { granted, over_quota, full };
  [[nodiscard]] virtual entry enter(std::string_view name, const address& client);
  virtual void leave(std::string_view name, const address& client);

  // Keeps a port that was taken for the next allocation of `user` that shows `token`. False: there
  // are too many, of that quota_name() or in all, and the port is the caller's still.
  [[nodiscard]] virtual bool may_reserve(std::string_view user) const;
  [[nodiscard]] virtual bool reserve(relay_port, std::string_view user,
                                     const std::array<std::byte, 8>& token, time_point expires);
  [[nodiscard]] virtual std::optional<relay_port> redeem(std::string_view user, byte_view token,
                                                         time_point now);
  // Gives back what was kept in vain.
  virtual void handle_timeout(time_point now);
  [[nodiscard]] virtual std::optional<time_point> next_timeout() const;

 private:
  struct reservation {
    relay_port port;
    std::string user;
    std::array<std::byte, 8> token;
    time_point expires;
  };

  ledger_limits limits_;
  std::array<port_pool, 2> ports_;  // IPv4, IPv6
  // By port: 0, or the place of its address in bound_ and one.
  std::array<std::array<std::uint16_t, 65536>, 2> open_{};
  std::vector<address> bound_;
  std::size_t allocations_ = 0;
  std::map<std::string, std::size_t, std::less<>> per_name_;
  std::map<address, std::size_t> per_address_;
  std::vector<reservation> reservations_;
  // Not later than the first of them expires.
  time_point look_at_ = time_point::max();
};

// What quotas count as one client: an IPv4 address, an IPv6 /64.
[[nodiscard]] address quota_address(const address&) noexcept;
// The name of a REST user, or the whole user name.
[[nodiscard]] std::string_view quota_name(std::string_view user) noexcept;

}  // namespace nat::turn
