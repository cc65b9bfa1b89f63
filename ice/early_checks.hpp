#pragma once

// Checks that were answered but can't be acted on yet: the peer's credentials or our own candidate
// at that door are still under way (RFC 8445, 7.3). Only requests
// that our own password authenticated get here, one entry a path, bounded in number and age.

#include <cstdint>
#include <string>
#include <vector>

#include "ice/check_message.hpp"
#include "protocol/base/path.hpp"
#include "protocol/base/time.hpp"

namespace nat::ice {

struct early_check {
  path from;
  std::string remote_ufrag;
  incoming_check what;
  time_point at;
};

class early_checks {
 public:
  explicit early_checks(std::size_t max) : max_(max) {}

  // False: no room. A later check on the same path replaces the earlier one, and keeps its
  // nomination.
  bool add(early_check);
  // Those that `ready` accepts, oldest first.
  template <class Ready>
  [[nodiscard]] std::vector<early_check> take(const Ready& ready) {
    std::vector<early_check> taken;
    std::erase_if(waiting_, [&](early_check& c) {
      if (!ready(c)) return false;
      taken.push_back(std::move(c));
      return true;
    });
    return taken;
  }
  void expire(time_point older_than);
  void clear() { waiting_.clear(); }

  [[nodiscard]] bool knows(const path&) const noexcept;
  [[nodiscard]] std::optional<time_point> oldest() const noexcept;

 private:
  std::size_t max_;
  std::vector<early_check> waiting_;
};

}  // namespace nat::ice
