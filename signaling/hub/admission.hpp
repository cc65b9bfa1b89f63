#pragma once

// How many connections there are, in all and from one address, and how fast an address makes new
// ones; an IPv6 host is its /64. Holds an entry for an address while it has connections, and then
// until its rate is forgotten: as many such entries as max_resting, the oldest goes first.

#include <array>
#include <deque>
#include <expected>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "protocol/base/endpoint.hpp"
#include "signaling/hub/keyed_hash.hpp"
#include "signaling/hub/limits.hpp"
#include "signaling/hub/token_bucket.hpp"

namespace nat::hub {

// What counts as one place: an IPv4 address, or an IPv6 /64, for who holds one address of it holds
// all of them.
[[nodiscard]] address site_of(const address&);

// Too many in all, too many from one address, too many at once from it; the last is the listener's:
// no file descriptor is left.
enum class rejection { total, address, rate, descriptors };
inline constexpr std::size_t rejections = 4;
[[nodiscard]] std::string_view to_string(rejection) noexcept;
using rejection_counts = std::array<std::uint64_t, rejections>;

class admission {
 public:
  static constexpr std::size_t max_resting = 65'536;

  admission(const limits&, random_source&);

  // Each entry granted is paired with one leave(); a refused one costs the address nothing. Without
  // an address: a connection of a proxy, which counts in all only until name() says whom it is for.
  [[nodiscard]] std::expected<void, rejection> enter(const std::optional<address>&, time_point now);
  [[nodiscard]] std::expected<void, rejection> name(const address&, time_point now);
  void leave(const std::optional<address>&, time_point now);

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t sites() const noexcept { return sites_.size(); }

 private:
  struct site {
    token_bucket newcomers;
    std::uint32_t here = 0;
    bool resting = false;  // it is in resting_
  };
  struct rest {
    address where;
    time_point since;
  };
  void forget(time_point now);

  std::size_t max_, max_per_address_;
  double per_second_, burst_;
  std::size_t count_ = 0;
  std::unordered_map<address, site, address_hash> sites_;
  std::deque<rest> resting_;  // each site once at most
};

}  // namespace nat::hub
