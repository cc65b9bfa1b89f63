#include "signaling/hub/registry.hpp"

#include "signaling/hub/resume_secret.hpp"

namespace nat::hub {

namespace {

crypto::sha256_digest hash_of(std::string_view secret) {
  return crypto::sha256({as_bytes(secret)});
}

}  // namespace

registry::registry(const limits& l, random_source& random)
    : resume_window_(l.resume_window),
      max_held_names_(l.max_held_names),
      max_held_per_site_(l.max_held_names_per_address),
      random_(random),
      names_(0, keyed_hash(random)),
      sites_(0, address_hash(random)) {}

std::expected<claimed, claim_error> registry::claim(std::string_view name,
                                                    const std::optional<std::string>& resume,
                                                    const owner& by, time_point now) {
  forget_overdue(now);
  claimed result{++generation_, {}, {}};
  const owner fresh{by.loop, by.slot, result.generation};
  if (const auto found = names_.find(name); found != names_.end()) {
    auto& known = found->second;
    if (!resume || resume->size() > max_resume_length ||
        !crypto::equal_constant_time(hash_of(*resume), known.resume_hash)) {
      return std::unexpected(claim_error::taken);
    }
    // The secret stays: a client whose answer got lost can try again with what it has.
    result.resume = *resume;
    if (!known.held) result.superseded = known.who;
    revive(known, fresh);
    return result;
  }
  result.resume = new_resume_secret(random_);
  names_.emplace(name, entry{fresh, hash_of(result.resume)});
  ++live_;
  return result;
}

std::expected<std::optional<owner>, claim_error> registry::adopt(std::string_view name,
                                                                 const owner& granted) {
  const auto found = names_.find(name);
  if (found == names_.end()) {
    names_.emplace(name, entry{granted});
    ++live_;
    return std::nullopt;
  }
  auto& known = found->second;
  if (known.who.generation > granted.generation) return std::unexpected(claim_error::taken);
  std::optional<owner> superseded;
  if (!known.held) superseded = known.who;
  revive(known, granted);
  return superseded;
}

void registry::revive(entry& known, const owner& by) {
  known.who = by;
  if (!known.held) return;
  unlist(*known.held);
  known.held.reset();
  ++live_;
}

directory::route registry::find(std::string_view target, std::string_view sender,
                                std::uint64_t sender_generation) {
  route result;
  const auto from = names_.find(sender);
  result.sender_owns = from != names_.end() && !from->second.held &&
                       from->second.who.generation == sender_generation;
  if (!result.sender_owns) return result;
  const auto to = names_.find(target);
  if (to != names_.end() && !to->second.held) result.target = to->second.who;
  return result;
}

void registry::release(std::string_view name, std::uint64_t generation, ending how,
                       const address& from, time_point now) {
  forget_overdue(now);
  const auto found = names_.find(name);
  if (found == names_.end() || found->second.held || found->second.who.generation != generation) {
    return;
  }
  --live_;
  if (how == ending::clean || resume_window_.count() == 0) {
    names_.erase(found);
    return;
  }
  const auto site = site_of(from);
  auto& here = sites_[site];
  const auto fresh = held_.insert(held_.end(), {&found->first, now + resume_window_, site, {}});
  fresh->at_site = here.insert(here.end(), fresh);
  found->second.held = fresh;
  if (max_held_per_site_ != 0 && here.size() > max_held_per_site_) {
    forget(here.front());
  } else if (max_held_names_ != 0 && held_.size() > max_held_names_) {
    forget(held_.begin());
  }
}

// Out of the lists: it is held no longer.
void registry::unlist(held_list::iterator h) {
  const auto site = sites_.find(h->site);
  site->second.erase(h->at_site);
  if (site->second.empty()) sites_.erase(site);
  held_.erase(h);
}

void registry::forget(held_list::iterator h) {
  const auto name = names_.find(*h->name);
  unlist(h);
  names_.erase(name);
}

void registry::forget_overdue(time_point now) {
  while (!held_.empty() && held_.front().until <= now) forget(held_.begin());
}

}  // namespace nat::hub
