#include "signaling/hub/registry.hpp"

namespace nat::hub {

namespace {

constexpr std::size_t resume_length = 24;  // characters of 6 bits: 144 bits
constexpr std::size_t max_resume_length = 64;

crypto::sha256_digest hash_of(std::string_view secret) {
  return crypto::sha256({as_bytes(secret)});
}

}  // namespace

registry::registry(const limits& l, random_source& random)
    : resume_window_(l.resume_window),
      max_held_names_(l.max_held_names),
      random_(random),
      names_(0, keyed_hash(random)) {}

std::expected<claimed, claim_error> registry::claim(std::string_view name,
                                                    const std::optional<std::string>& resume,
                                                    const owner& by, time_point now) {
  forget_held(now);
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
    if (known.live) {
      result.superseded = known.who;
    } else {
      ++live_;
    }
    known.who = fresh;
    known.live = true;
    return result;
  }
  result.resume = random_text(random_, resume_length);
  names_.emplace(name, entry{fresh, hash_of(result.resume), true});
  ++live_;
  return result;
}

std::expected<std::optional<owner>, claim_error> registry::adopt(std::string_view name,
                                                                 const owner& granted) {
  const auto found = names_.find(name);
  if (found == names_.end()) {
    names_.emplace(name, entry{granted, {}, true});
    ++live_;
    return std::nullopt;
  }
  auto& known = found->second;
  if (known.who.generation > granted.generation) return std::unexpected(claim_error::taken);
  std::optional<owner> superseded;
  if (known.live) {
    superseded = known.who;
  } else {
    ++live_;
  }
  known.who = granted;
  known.live = true;
  return superseded;
}

directory::route registry::find(std::string_view target, std::string_view sender,
                                std::uint64_t sender_generation) {
  route result;
  const auto from = names_.find(sender);
  result.sender_owns =
      from != names_.end() && from->second.live && from->second.who.generation == sender_generation;
  if (!result.sender_owns) return result;
  const auto to = names_.find(target);
  if (to != names_.end() && to->second.live) result.target = to->second.who;
  return result;
}

void registry::release(std::string_view name, std::uint64_t generation, ending how,
                       time_point now) {
  forget_held(now);
  const auto found = names_.find(name);
  if (found == names_.end() || !found->second.live || found->second.who.generation != generation) {
    return;
  }
  --live_;
  if (how == ending::clean || resume_window_.count() == 0) {
    names_.erase(found);
    return;
  }
  found->second.live = false;
  held_.push_back({found->first, generation, now + resume_window_});
  bound_held();
}

// The queue also has entries of names that were taken back meanwhile: it is bounded for itself.
void registry::bound_held() {
  if (max_held_names_ == 0) return;
  while (held() > max_held_names_ || held_.size() > 2 * max_held_names_) {
    forget_held(held_.front().until);
  }
}

void registry::forget_held(time_point now) {
  while (!held_.empty() && held_.front().until <= now) {
    const auto found = names_.find(held_.front().name);
    if (found != names_.end() && !found->second.live &&
        found->second.who.generation == held_.front().generation) {
      names_.erase(found);
    }
    held_.pop_front();
  }
}

}  // namespace nat::hub
