#pragma once

// How many names a server may leave behind held in Redis within one resume window: in all, and from
// one IPv4 address or IPv6 /64, so that who comes and goes fast uses up its own share alone. A name
// counts for the whole window, resumed or not. Holds an entry for each name that counts.

#include <chrono>
#include <deque>
#include <unordered_map>

#include "protocol/base/time.hpp"
#include "signaling/hub/admission.hpp"
#include "signaling/hub/keyed_hash.hpp"

namespace nat::cluster {

class hold_budget {
 public:
  // 0: no such limit.
  hold_budget(std::chrono::milliseconds window, std::size_t in_all, std::size_t of_a_site,
              random_source& random)
      : window_(window),
        in_all_(in_all),
        of_a_site_(of_a_site),
        sites_(0, hub::address_hash(random)) {}

  // Whether this client's name may be held, from now on.
  [[nodiscard]] bool take(const address& client, time_point now) {
    for (; !taken_.empty() && taken_.front().until <= now; taken_.pop_front()) {
      const auto site = sites_.find(taken_.front().site);
      if (--site->second == 0) sites_.erase(site);
    }
    if (in_all_ != 0 && taken_.size() >= in_all_) return false;
    const auto site = hub::site_of(client);
    auto& there = sites_[site];  // if it is new, it is not full
    if (of_a_site_ != 0 && there >= of_a_site_) return false;
    ++there;
    taken_.push_back({now + window_, site});
    return true;
  }

 private:
  struct entry {
    time_point until;
    address site;
  };
  std::chrono::milliseconds window_;
  std::size_t in_all_, of_a_site_;
  std::deque<entry> taken_;
  std::unordered_map<address, std::size_t, hub::address_hash> sites_;  // none of them is 0
};

}  // namespace nat::cluster
