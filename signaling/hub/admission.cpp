#include "signaling/hub/admission.hpp"

#include <algorithm>
#include <utility>

#include "protocol/base/ensure.hpp"

namespace nat::hub {

std::string_view to_string(rejection why) noexcept {
  switch (why) {
    case rejection::total:
      return "total";
    case rejection::address:
      return "address";
    case rejection::rate:
      return "rate";
    case rejection::descriptors:
      return "descriptors";
  }
  std::unreachable();
}

address site_of(const address& from) {
  auto site = unmapped(from);
  if (!site.v4) std::fill(site.octets.begin() + 8, site.octets.end(), std::byte{0});
  return site;
}

admission::admission(const limits& l, random_source& random)
    : max_(l.max_connections),
      max_per_address_(l.max_connections_per_address),
      per_second_(l.connections_per_second_per_address),
      burst_(l.connection_burst()),
      sites_(0, address_hash(random)) {}

std::expected<void, rejection> admission::enter(const std::optional<address>& from,
                                                time_point now) {
  if (max_ != 0 && count_ >= max_) return std::unexpected(rejection::total);
  if (from) {
    if (auto named = name(*from, now); !named) return named;
  }
  ++count_;
  return {};
}

std::expected<void, rejection> admission::name(const address& from, time_point now) {
  const token_bucket full(per_second_, burst_, now);
  auto& there = sites_.try_emplace(site_of(from), full).first->second;
  // An entry that was just made is below any limit.
  if (max_per_address_ != 0 && there.here >= max_per_address_) {
    return std::unexpected(rejection::address);
  }
  if (per_second_ > 0) {
    if (there.newcomers.level(now) < 1) return std::unexpected(rejection::rate);
    there.newcomers.take(now);
  }
  ++there.here;
  return {};
}

void admission::leave(const std::optional<address>& from, time_point now) {
  ensure(count_ > 0);
  --count_;
  if (!from) return;
  const auto where = site_of(*from);
  const auto found = sites_.find(where);
  ensure(found != sites_.end());
  auto& there = found->second;
  if (--there.here == 0) {
    if (per_second_ <= 0) {
      sites_.erase(found);
    } else if (!std::exchange(there.resting, true)) {
      resting_.push_back({where, now});
    }
  }
  forget(now);
}

// Two at a time: more than come in with one call, and not all of a flood at once.
void admission::forget(time_point now) {
  for (int i = 0; i < 2 && !resting_.empty(); ++i) {
    const auto oldest = resting_.front();
    const bool crowded = resting_.size() > max_resting;
    if (!crowded && now - oldest.since <= limits::connection_burst_seconds) return;
    resting_.pop_front();
    const auto found = sites_.find(oldest.where);
    auto& there = found->second;
    there.resting = false;
    if (there.here > 0) continue;
    if (crowded || there.newcomers.full(now)) {
      sites_.erase(found);
    } else {
      there.resting = true;
      resting_.push_back({oldest.where, now});
    }
  }
}

}  // namespace nat::hub
