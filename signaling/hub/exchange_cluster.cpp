// The exchange as part of a cluster: names are asked for, and given later; and all that was given
// falls with the lease of this server.

#include "signaling/hub/exchange.hpp"
#include "signaling/hub/resume_secret.hpp"

namespace nat::hub {

void exchange::claims(std::uint32_t slot, const request& asked) {
  auto& c = clients_[slot];
  c.claim = ++claims_made_;
  const auto shown = asked.resume.value_or("");
  envelopes_.push_back({.what = envelope::type::claim,
                        .to = {.loop = cluster_place},
                        .from = {loop_, slot, c.claim},
                        .request = request_type::register_,
                        .target = std::string(asked.peer),
                        .text = std::string(shown.size() <= max_resume_length ? shown : ""),
                        .client = c.remote});
}

void exchange::handle_claim_answer(const envelope& e, time_point now) {
  const auto slot = e.to.slot;
  const bool here = slot < clients_.size() && clients_[slot].connected && !clients_[slot].closing &&
                    clients_[slot].claim != 0 && clients_[slot].claim == e.to.generation;
  if (here) clients_[slot].claim = 0;
  if (e.what == envelope::type::claimed) {
    const owner granted{loop_, slot, e.from.generation};
    const bool back = e.from.slot != 0;
    // Entered even if its connection has ended, or has been told that it took too long: whoever
    // had the name here has lost it.
    const auto entered = directory_.adopt(e.target, granted);
    if (entered && here) grant(slot, e.target, granted.generation, e.text, back);
    if (entered && !here) {
      directory_.release(e.target, granted.generation, ending::clean, {}, now);
    }
    if (entered && *entered) supersede(**entered, now);
    if (entered && here) return;
    envelopes_.push_back({.what = back ? envelope::type::held : envelope::type::left,
                          .to = {.loop = cluster_place},
                          .from = granted,
                          .target = e.target,
                          .client = e.client});
  }
  if (!here) return;
  if (e.what == envelope::type::unavailable) {
    return refuse(slot, error_code::cluster_unavailable,
                  "Names can't be given at the moment; try again.", request_type::register_);
  }
  refuse_taken(slot, e.target, now);
}

bool exchange::fenced(time_point now) const {
  return fence_ != nullptr && (fence_->passed(now) || fence_->term() != term_);
}

// True: this server's names may be someone else's by now, and all its clients have been let go.
bool exchange::fenced_off(time_point now) {
  if (fence_ == nullptr) return false;
  const bool passed = fence_->passed(now);  // before the term, see there
  const auto term = fence_->term();
  if (!passed && term == term_) return false;
  // Whoever comes before the next term begins is sent away too: nobody knows of it yet.
  term_ = term;
  for (std::uint32_t slot = 0; slot < clients_.size(); ++slot) {
    if (clients_[slot].connected) close(slot, closing::fenced, now);
  }
  return true;
}

}  // namespace nat::hub
