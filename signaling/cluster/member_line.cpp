// The member's connections, its lease, and what is done when they fail.

#include <algorithm>

#include "signaling/cluster/member.hpp"
#include "signaling/cluster/scripts.hpp"

namespace nat::cluster {

namespace {

using namespace std::chrono_literals;
using hub::envelope;
using hub::request_type;

constexpr duration first_pause = 50ms, longest_pause = 2s;

std::string epoch_text(random_source& random) {
  return std::to_string(random_u64(random));
}

// An error's kind, its first word. What follows may quote the command, and so a password.
std::string kind_of(const reply& error) {
  constexpr std::size_t longest = 32;
  const auto end = std::ranges::find_if(error.text, [](char c) { return c < 'A' || c > 'Z'; });
  std::string kind(error.text.begin(), end);
  return kind.empty() || kind.size() > longest ? "an error" : kind;
}

}  // namespace

void member::start(time_point now) {
  epoch_ = epoch_text(random_);
  ++stats_.epochs;
  connect(line::commands, now);
  connect(line::inbox, now);
}

void member::connect(line which, time_point now) {
  (which == line::commands ? commands_ : inbox_) = {.open = true, .connected = false, .since = now};
  (which == line::commands ? connect_at_ : inbox_at_).reset();
  actions_.push_back({action::type::connect, which});
}

// True: this server's lease ran out without its noticing, so it was frozen; all names are void.
bool member::frozen(time_point now) {
  if (!lease_until_ || now < *lease_until_) return false;
  fence_.new_term();  // before the fence is lifted
  names_.clear();
  lost("the lease ran out: this process was stopped for too long", now);
  unsettled_.clear();
  too_unsettled_ = false;
  unacknowledged_.clear();
  acknowledged_by_.clear();
  // Claims under way have been told; whatever else waits was for clients who are let go.
  std::erase_if(envelopes_,
                [](const envelope& e) { return e.what != envelope::type::unavailable; });
  epoch_ = epoch_text(random_);
  ++stats_.epochs;
  connect_at_ = now;
  return true;
}

void member::handle_connected(line which, time_point now) {
  if (frozen(now)) return;
  auto& l = which == line::commands ? commands_ : inbox_;
  if (!l.open) return;
  l.connected = true;
  l.since = now;
  greet(which, now);
}

void member::greet(line which, time_point now) {
  const auto say = [&](std::vector<std::string> words) {
    if (which == line::commands) return send({.what = sent::type::plain, .at = now}, words);
    actions_.push_back({action::type::send, which, std::move(words)});
  };
  if (!settings_.user.empty()) {
    say({"AUTH", settings_.user, settings_.password});
  } else if (!settings_.password.empty()) {
    say({"AUTH", settings_.password});
  }
  if (which == line::inbox) return say({"SUBSCRIBE", inbox_channel(settings_.node)});
  if (settings_.database != 0) say({"SELECT", std::to_string(settings_.database)});
  for (const auto* s : {&claim_script(), &route_script(), &release_script(), &recover_script()}) {
    say({"SCRIPT", "LOAD", s->text});
  }
  if (too_unsettled_) {  // what was left behind under the old epoch dies with it
    epoch_ = epoch_text(random_);
    ++stats_.epochs;
    unsettled_.clear();
    too_unsettled_ = false;
  }
  state_ = state::joining;
  refresh(now);
}

void member::refresh(time_point now) {
  const auto lease_ms = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.lease);
  refresh_at_ = now + settings_.lease * 3 / 10;
  send({.what = sent::type::lease, .at = now},
       {"SET", lease_key(settings_.node), epoch_, "PX", std::to_string(lease_ms.count()), "GET"});
  if (!subscribed_) return;
  if (ping_due_) return renew_inbox(now);  // the last one never came back
  ping_due_ = true;
  send({.what = sent::type::ping, .at = now}, {"PUBLISH", inbox_channel(settings_.node), "1:P"});
}

void member::handle_reply(line which, const reply& r, time_point now) {
  if (frozen(now)) return;
  // What came together with the reply that made us give the connection up.
  if (!(which == line::commands ? commands_ : inbox_).connected) return;
  if (which == line::inbox) return heard(r, now);
  if (sent_.empty()) return;
  auto done = std::move(sent_.front());
  sent_.pop_front();
  if (r.what == reply::type::error) {
    ++stats_.failures;
    sent_.push_front(std::move(done));  // its fate is that of all others
    return lost("Redis answered: " + kind_of(r), now);
  }
  answered(done, r, now);
}

void member::answered(sent& s, const reply& r, time_point now) {
  switch (s.what) {
    case sent::type::lease:
      return leased(s, r, now);
    case sent::type::ping:
      if (r.integer == 0 && subscribed_) renew_inbox(now);
      return;
    case sent::type::claim: {
      --claims_;
      --commands_under_way_;
      claims_under_way_.pop_front();
      const bool told = claims_told_ > 0;
      if (told) --claims_told_;
      return claimed(s.asked, r, told);
    }
    case sent::type::route:
      --routes_under_way_;
      return routed(s.messages, r);
    case sent::type::resubscribed:
      return recover_all(now);
    case sent::type::recover:
      return recovered(s, r, now);
    case sent::type::answers:
      --answers_under_way_;
      return;
    case sent::type::release:
      --commands_under_way_;
      return settle_late(s.left.name);
    case sent::type::plain:
      return;
  }
}

void member::leased(const sent& s, const reply& before, time_point now) {
  const bool lapsed = leased_ && before.text != epoch_;
  leased_ = true;
  lease_until_ = s.at + settings_.lease;
  fence_.renew(*lease_until_);
  if (!lapsed) return recover_if_joined(now);
  // By our clock it had not run out. Meanwhile this server's names were anyone's, and were deleted
  // by who looked for them.
  ++stats_.lapses;
  trouble_ = "the lease ended in Redis before its time";
  if (state_ == state::up || recovering_ != 0) recover_all(now);
}

void member::heard(const reply& r, time_point now) {
  if (r.what == reply::type::error) {
    ++stats_.failures;
    return lost("Redis answered: " + kind_of(r), now);
  }
  if (r.what != reply::type::array || r.items.size() != 3) return;
  if (r.items[0].text == "subscribe") {
    subscribed_ = true;
    ping_due_ = false;
    // While nobody listened, names may have been taken over. Those that were claimed before are
    // known once this is answered.
    if (state_ == state::up || recovering_ != 0) {
      return send({.what = sent::type::resubscribed, .at = now}, {"PING"});
    }
    return recover_if_joined(now);
  }
  if (r.items[0].text == "message") handle_publication(r.items[2].text);
}

void member::handle_disconnected(line which, std::string why, time_point now) {
  if (frozen(now)) return;
  auto& l = which == line::commands ? commands_ : inbox_;
  if (!l.open) return;
  l = {};
  if (which == line::commands || state_ != state::up) return lost(std::move(why), now);
  renew_inbox(now);
}

// Names are found and messages leave as before; only what others send finds nobody until then.
void member::renew_inbox(time_point now) {
  ++stats_.subscriptions;
  trouble_ = "the subscription was lost";
  drop_line(line::inbox);
  inbox_at_ = now + first_pause;
}

void member::drop_line(line which) {
  auto& l = which == line::commands ? commands_ : inbox_;
  std::erase_if(actions_, [&](const action& a) { return a.where == which; });
  if (l.open) actions_.push_back({action::type::disconnect, which});
  l = {};
  if (which == line::inbox) subscribed_ = ping_due_ = false;
}

void member::lost(std::string why, time_point now) {
  trouble_ = std::move(why);
  ++stats_.disconnects;
  drop_line(line::commands);
  drop_line(line::inbox);
  state_ = state::away;
  leased_ = false;
  lease_until_.reset();
  refresh_at_.reset();
  inbox_at_.reset();
  fence_.lift();
  give_up_commands();
  const auto pause = std::min(longest_pause, first_pause * (1U << std::min(attempts_++, 6U)));
  connect_at_ = now + pause * (75 + random_below(random_, 51)) / 100;
}

std::optional<time_point> member::next_timeout() const {
  auto when = earlier(connect_at_, inbox_at_);
  when = earlier(when, refresh_at_);
  when = earlier(when, lease_until_);
  when = earlier(when, waited_enough_at());
  if (!sent_.empty()) when = earlier(when, sent_.front().at + settings_.patience);
  for (const auto* l : {&commands_, &inbox_}) {
    const bool waits = l->open && (!l->connected || (l == &inbox_ && !subscribed_));
    if (waits) when = earlier(when, l->since + settings_.patience);
  }
  if (!acknowledged_by_.empty()) when = earlier(when, acknowledged_by_.front().first);
  return when;
}

void member::handle_timeout(time_point now) {
  if (frozen(now)) return;
  if (!sent_.empty() && now >= sent_.front().at + settings_.patience) {
    return lost("Redis does not answer", now);
  }
  refuse_late(now);
  while (!acknowledged_by_.empty()) {
    const auto [when, id] = acknowledged_by_.front();
    const auto found = unacknowledged_.find(id);
    if (found != unacknowledged_.end() && when > now) break;
    acknowledged_by_.pop_front();
    if (found == unacknowledged_.end()) continue;
    ++stats_.acknowledgements_missing;
    tell(envelope::type::not_found, found->second.from, found->second.request,
         std::move(found->second.target));
    unacknowledged_.erase(found);
  }
  const auto late = [&](const line_state& l) {
    return l.open && now >= l.since + settings_.patience;
  };
  if (late(commands_) && !commands_.connected) return lost(settings_.unreachable, now);
  if (late(inbox_) && !subscribed_) {
    if (state_ != state::up) return lost("the subscription is not answered", now);
    renew_inbox(now);
  }
  if (refresh_at_ && now >= *refresh_at_) refresh(now);
  if (inbox_at_ && now >= *inbox_at_) connect(line::inbox, now);
  if (connect_at_ && now >= *connect_at_) {
    connect(line::commands, now);
    connect(line::inbox, now);
  }
}

std::optional<action> member::poll_action(time_point now) {
  if (actions_.empty() && state_ == state::up && !frozen(now)) send_waiting(now);
  if (actions_.empty()) return std::nullopt;
  auto a = std::move(actions_.front());
  actions_.pop_front();
  return a;
}

}  // namespace nat::cluster
