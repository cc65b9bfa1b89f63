#include "signaling/cluster/member.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/base/hex.hpp"
#include "protocol/crypto/hmac.hpp"
#include "signaling/cluster/scripts.hpp"
#include "signaling/hub/resume_secret.hpp"

namespace nat::cluster {

namespace {

using hub::envelope;
using hub::request_type;

std::uint64_t number_in(const std::string& text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

member::member(settings s, hub::fence& f, random_source& random)
    : settings_(std::move(s)),
      fence_(f),
      random_(random),
      held_(settings_.resume_window, settings_.max_held, settings_.max_held_per_site, random),
      names_(0, hub::keyed_hash(random)),
      unsettled_(0, hub::keyed_hash(random)),
      late_names_(0, hub::keyed_hash(random)) {}

void member::handle_envelope(envelope&& e, time_point now) {
  if (frozen(now)) return;
  switch (e.what) {
    case envelope::type::claim:
      return claims(std::move(e), now);
    case envelope::type::deliver:
      return routes(std::move(e), now);
    case envelope::type::left:
    case envelope::type::held:
      return releases(e, now);
    default:
      return answers(e);
  }
}

void member::tell(envelope::type what, const hub::owner& to, request_type request,
                  std::string target) {
  if (what == envelope::type::unavailable) ++stats_.unavailable;
  envelopes_.push_back({.what = what,
                        .to = to,
                        .from = {.loop = hub::cluster_place},
                        .request = request,
                        .target = std::move(target)});
}

void member::claims(envelope&& e, time_point now) {
  if (state_ != state::up || claims_ >= max_claims) {
    return tell(envelope::type::unavailable, e.from, request_type::register_, std::move(e.target));
  }
  ++claims_;
  claim c{std::move(e.target), hub::new_resume_secret(random_), std::move(e.text), e.from,
          e.client};
  std::vector<std::string> arguments{settings_.node,
                                     epoch_,
                                     std::to_string(c.by.loop),
                                     std::to_string(c.by.slot),
                                     hash_text(c.fresh),
                                     c.shown.empty() ? std::string() : hash_text(c.shown),
                                     c.name};
  std::vector<std::string> keys{name_key(c.name)};
  waiting_claims_.push_back({{.what = sent::type::claim, .at = now, .asked = std::move(c)},
                             call(claim_script(), std::move(keys), std::move(arguments))});
}

// `told`: its client has been refused meanwhile.
void member::claimed(claim& c, const reply& r, bool told) {
  const bool granted = r.items.size() == 3 && r.items[0].integer == 1;
  const auto generation = granted ? number_in(r.items[1].text) : 0;
  if (!granted || generation <= c.lost_below) {
    if (told) return settle_late(c.name);
    // It may be this very client's, given too late and on its way back.
    if (late_names_.contains(c.name)) return refuse_claim(c.by, std::move(c.name));
    return tell(envelope::type::taken, c.by, request_type::register_, std::move(c.name));
  }
  const bool back = r.items[2].text == "1";
  auto& secret = back ? c.shown : c.fresh;
  names_[c.name] = {{c.by.loop, c.by.slot, generation}, hash_text(secret)};
  envelopes_.push_back({.what = envelope::type::claimed,
                        .to = c.by,
                        .from = {hub::cluster_place, back ? 1U : 0U, generation},
                        .request = request_type::register_,
                        .target = std::move(c.name),
                        .text = std::move(secret),
                        .client = c.client});
}

void member::routes(envelope&& e, time_point now) {
  if (state_ != state::up) {
    return tell(envelope::type::unavailable, e.from, e.request, std::move(e.target));
  }
  if (unacknowledged_.size() >= max_unacknowledged || routes_.size() >= max_waiting_messages ||
      waiting_bytes_ + e.text.size() > max_waiting_bytes) {
    return tell(envelope::type::busy, e.from, e.request, std::move(e.target));
  }
  const auto id = next_id_++;
  auto text = route_record(id, settings_.node, e.from, e.request, e.target, e.text);
  if (hub::is_acknowledged(e.request)) {
    unacknowledged_.emplace(id, unacknowledged{e.from, e.request, e.target});
    acknowledged_by_.emplace_back(now + settings_.patience, id);
  }
  waiting_bytes_ += text.size();
  message m{id, e.from, e.request, std::move(e.target), std::move(e.sender), text.size()};
  routes_.push_back({std::move(m), std::move(text), now});
}

// Of a message whose sender waits for word, only the first word counts.
void member::routed(std::vector<message>& all, const reply& r) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& m = all[i];
    waiting_bytes_ -= m.bytes;
    const auto fate = i < r.items.size() ? r.items[i].integer : 0;
    if (fate == route_published) continue;
    const bool told = hub::is_acknowledged(m.request) && unacknowledged_.erase(m.id) == 0;
    if (fate == route_outdated) {  // whose connection is closed needs no other word
      superseded(m.sender, m.from.generation);
      continue;
    }
    if (told) continue;
    tell(r.what == reply::type::array ? envelope::type::not_found : envelope::type::unavailable,
         m.from, m.request, std::move(m.target));
  }
}

void member::releases(const envelope& e, time_point now) {
  const auto found = names_.find(e.target);
  if (found == names_.end() || found->second.who.generation != e.from.generation) {
    return settle_late(e.target);
  }
  names_.erase(found);
  const bool hold = e.what == envelope::type::held && settings_.resume_window.count() > 0;
  const auto hold_ms = hold && held_.take(e.client, now) ? settings_.resume_window.count() : 0;
  if (state_ != state::up) return unsettle(e.target, hold_ms, {});
  waiting_releases_.push_back(
      {{.what = sent::type::release, .at = now, .left = {e.target, hold_ms}},
       call(release_script(), {name_key(e.target)},
            {std::to_string(e.from.generation), std::to_string(hold_ms)})});
}

void member::answers(const envelope& e) {
  if (state_ != state::up) return;  // the sender hears of its absence by waiting
  const auto a = answer_to(e);
  if (!a) return;
  auto open = std::ranges::find_if(answers_, [&](const publication& p) {
    return p.text.size() < max_publication_bytes && p.node == a->node;
  });
  if (open == answers_.end()) {
    // The oldest are the first that nobody waits for any longer.
    if (answers_.size() >= max_waiting_publications) answers_.pop_front();
    answers_.push_back({a->node, {}});
    open = std::prev(answers_.end());
  }
  append_record(open->text, a->body);
}

void member::handle_publication(std::string_view text) {
  if (!read_records(text, [&](const record& r) { take(r); })) ++stats_.malformed;
}

void member::take(const record& r) {
  if (r.what == 'P') {
    ping_due_ = false;
    return;
  }
  if (r.what == 'A') {
    unacknowledged_.erase(r.id);
    return;
  }
  if (r.to.loop >= settings_.loops) {
    ++stats_.malformed;
    return;
  }
  const auto mine = names_.find(r.target);
  const bool current = mine != names_.end() && mine->second.who == r.to;
  if (r.what == 'D') {
    ++stats_.received;
    envelope e{.what = envelope::type::deliver,
               .to = r.to,
               .from = r.from,
               .request = r.request,
               .target = std::string(r.target),
               .origin = r.origin};
    if (current) {
      e.text = r.text;
      envelopes_.push_back(std::move(e));
    } else {
      e.what = envelope::type::not_found;
      answers(e);
    }
  } else if (r.what == 'S') {
    // Of two that were lost one after the other, word may have come of the second alone.
    superseded(std::string(r.target), r.to.generation);
    // A claim of ours may have been granted, and lost again, while its reply is on its way.
    for (auto& s : sent_) {
      if (s.what == sent::type::claim && s.asked.name == r.target) {
        s.asked.lost_below = std::max(s.asked.lost_below, r.to.generation);
      }
    }
  } else {
    if (hub::is_acknowledged(r.request) && unacknowledged_.erase(r.id) == 0) return;
    tell(r.what == 'B' ? envelope::type::busy : envelope::type::not_found, r.to, r.request,
         std::string(r.target));
  }
}

// The owner under that generation, or an earlier one, has lost the name to another connection.
void member::superseded(const std::string& name, std::uint64_t generation) {
  const auto mine = names_.find(name);
  if (mine == names_.end() || mine->second.who.generation > generation) return;
  ++stats_.superseded;
  tell(envelope::type::superseded, mine->second.who, {}, {});
  names_.erase(mine);
}

std::optional<envelope> member::poll_envelope() {
  if (envelopes_.empty()) return std::nullopt;
  auto e = std::move(envelopes_.front());
  envelopes_.pop_front();
  return e;
}

}  // namespace nat::cluster
