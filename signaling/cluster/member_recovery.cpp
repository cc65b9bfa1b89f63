// Claiming the names of this server again: after Redis was away and may have forgotten them, and
// after a time without a subscription, when nobody heard of those that were taken over. With it
// goes what Redis may have kept of others.

#include <algorithm>

#include "signaling/cluster/member.hpp"
#include "signaling/cluster/scripts.hpp"

namespace nat::cluster {

namespace {
constexpr std::size_t names_a_batch = 256, batches_at_once = 4;
}

// The name may stand in Redis as this server's, and is not. Where nothing but the secret `fresh`
// (its hash), which nobody was told, opens it, it is free.
void member::unsettle(std::string name, std::int64_t hold_ms, std::string_view fresh) {
  if (unsettled_.size() >= max_unsettled) {
    too_unsettled_ = true;
    return;
  }
  if (state_ == state::joining) to_recover_.push_back(name);
  auto& u = unsettled_.try_emplace(std::move(name), unsettled{hold_ms, {}}).first->second;
  // Beside a release, a claim shows only what became of itself.
  if (fresh.empty()) u.hold_ms = std::max(u.hold_ms, hold_ms);
  u.fresh += fresh;
}

void member::recover_if_joined(time_point now) {
  if (state_ != state::joining || !leased_ || !subscribed_ || recovering_ != 0) return;
  recover_all(now);
}

void member::recover_all(time_point now) {
  to_recover_.clear();
  for (const auto& [name, what] : names_) to_recover_.push_back(name);
  for (const auto& [name, what] : unsettled_) {
    if (!names_.contains(name)) to_recover_.push_back(name);
  }
  recover_some(now);
}

void member::recover_some(time_point now) {
  while (recovering_ < batches_at_once && !to_recover_.empty()) {
    sent out{.what = sent::type::recover, .at = now};
    std::vector<std::string> keys, arguments{settings_.node, epoch_};
    while (!to_recover_.empty() && keys.size() < names_a_batch) {
      auto name = std::move(to_recover_.front());
      to_recover_.pop_front();
      const auto own = names_.find(name);
      const auto stale = unsettled_.find(name);
      if (own == names_.end() && stale == unsettled_.end()) continue;
      const auto who = own != names_.end() ? own->second.who : hub::owner{};
      const auto& hash = own != names_.end() ? own->second.hash : stale->second.fresh;
      // A claim under way has been carried out by then, and is not to be undone.
      const auto* keep = state_ == state::up ? "check" : "keep";
      const auto mode = own != names_.end() ? keep : std::to_string(stale->second.hold_ms);
      for (const auto& word : {std::to_string(who.generation), std::to_string(who.loop),
                               std::to_string(who.slot), hash, mode}) {
        arguments.push_back(word);
      }
      keys.push_back(name_key(name));
      out.names.push_back(std::move(name));
      out.generations.push_back(who.generation);
    }
    if (keys.empty()) break;
    ++recovering_;
    send(std::move(out), call(recover_script(), std::move(keys), std::move(arguments)));
  }
  if (recovering_ != 0) return;
  unsettled_.clear();  // what is left was taken over meanwhile
  state_ = state::up;
  attempts_ = 0;
}

void member::recovered(sent& s, const reply& r, time_point now) {
  --recovering_;
  for (std::size_t i = 0; i < s.names.size(); ++i) {
    const auto own = names_.find(s.names[i]);
    // What was released meanwhile comes by once more.
    if (s.generations[i] == 0 || own != names_.end()) unsettled_.erase(s.names[i]);
    const bool kept = i < r.items.size() && r.items[i].integer == 1;
    if (!kept) superseded(s.names[i], s.generations[i]);
  }
  recover_some(now);
}

}  // namespace nat::cluster
