#pragma once

// Whether this server may still speak for the names that it holds in a cluster (SIGNALING.md, "More
// than one server"). Its lease is refreshed on one loop and looked at on all of them, before every
// message, by the time at which its batch of events began, and by the clock before what the batch
// has for clients is written: a server that was frozen for longer than its lease finds out first.

#include <atomic>
#include <cstdint>

#include "protocol/base/time.hpp"

namespace nat::hub {

class fence {
 public:
  // The lease was asked for at a time that makes it end here, at the latest.
  void renew(time_point until) noexcept { until_.store(until.time_since_epoch().count()); }
  // There is no lease to outlive: the cluster is known to be away, and names are served here alone.
  void lift() noexcept { until_.store(time_point::max().time_since_epoch().count()); }
  // All that was registered before is void.
  void new_term() noexcept { term_.fetch_add(1); }

  // To be read before the term: a term begins before the fence of the last one is lifted, so who
  // sees it lifted sees the term too.
  [[nodiscard]] bool passed(time_point now) const noexcept {
    return now.time_since_epoch().count() >= until_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t term() const noexcept {
    return term_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<time_point::rep> until_{time_point::max().time_since_epoch().count()};
  std::atomic<std::uint64_t> term_{0};
};

}  // namespace nat::hub
