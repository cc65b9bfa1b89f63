#pragma once

// Addresses from which tokens are guessed: ten failures at once, then one in ten seconds; an IPv6
// host is its /64. Who is over that is not even listened to, so that a guesser gains nothing by
// guessing faster. Bounded: the address whose last failure is longest ago is forgotten first.

#include <deque>
#include <unordered_map>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/keyed_hash.hpp"
#include "signaling/hub/token_bucket.hpp"

namespace nat::hub {

// As a server's exchanges ask it: one for all of them, so that more loops are not more guesses.
class penalty_book {
 public:
  virtual ~penalty_book() = default;
  [[nodiscard]] virtual bool may_try(const address&, time_point now) const = 0;
  virtual void failed(const address&, time_point now) = 0;
};

class penalties final : public penalty_book {
 public:
  static constexpr std::size_t max_sites = 16'384;
  static constexpr double burst = 10, per_second = 0.1;

  explicit penalties(random_source& random) : sites_(0, address_hash(random)) {}

  [[nodiscard]] bool may_try(const address&, time_point now) const override;
  void failed(const address&, time_point now) override;

  [[nodiscard]] std::size_t size() const noexcept { return sites_.size(); }

 private:
  struct record {
    token_bucket left{per_second, burst, {}};
    std::uint64_t last = 0;  // number of its last failure
  };
  void forget(time_point now);

  struct failure {
    address site;
    std::uint64_t number;
    time_point at;
  };
  std::unordered_map<address, record, address_hash> sites_;
  std::deque<failure> failures_;  // oldest first; only a site's last one counts
  std::uint64_t number_ = 0;
};

}  // namespace nat::hub
