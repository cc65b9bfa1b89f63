#include "signaling/hub/penalties.hpp"

#include "signaling/hub/admission.hpp"

namespace nat::hub {

namespace {
// A bucket that has had no failure for this long is full.
constexpr auto recovered =
    std::chrono::seconds(static_cast<int>(penalties::burst / penalties::per_second));
}  // namespace

bool penalties::may_try(const address& from, time_point now) const {
  const auto found = sites_.find(site_of(from));
  return found == sites_.end() || found->second.left.level(now) >= 1;
}

void penalties::failed(const address& from, time_point now) {
  const auto site = site_of(from);
  auto [found, fresh] = sites_.try_emplace(site);
  auto& known = found->second;
  if (fresh) known.left = token_bucket(per_second, burst, now);
  known.left.take(now);
  known.last = ++number_;
  failures_.push_back({site, number_, now});
  forget(now);
}

void penalties::forget(time_point now) {
  while (!failures_.empty() &&
         (now - failures_.front().at > recovered || sites_.size() > max_sites)) {
    const auto& oldest = failures_.front();
    const auto found = sites_.find(oldest.site);
    if (found != sites_.end() && found->second.last == oldest.number) sites_.erase(found);
    failures_.pop_front();
  }
}

}  // namespace nat::hub
