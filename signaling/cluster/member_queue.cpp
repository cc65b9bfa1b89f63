// What waits for Redis, and in which order it goes. Few commands are under way at once, however
// much is asked for: the lease, which goes past all that waits, is refreshed in time, and Redis
// counts as away when it does not answer, not when one server, or all of them, have much to say.
// Messages, answers to those of others, and claims with releases have places of their own, so that
// none keeps the others from Redis.

#include <algorithm>

#include "protocol/base/ensure.hpp"
#include "signaling/cluster/member.hpp"
#include "signaling/cluster/scripts.hpp"

namespace nat::cluster {

namespace {

using hub::envelope;
using hub::request_type;

// What one script call may carry: Redis does nothing else meanwhile.
constexpr std::size_t max_batch = 128, max_batch_bytes = 256U << 10;
// Some 30 ms, 1 ms and 10 ms of Redis' time.
constexpr std::size_t max_routes_under_way = 4, max_answers_under_way = 16,
                      max_commands_under_way = 256;

}  // namespace

void member::send(sent&& s, std::vector<std::string> words) {
  ensure(commands_.connected);
  ++stats_.commands;
  sent_.push_back(std::move(s));
  actions_.push_back({action::type::send, line::commands, std::move(words)});
}

std::vector<std::string> member::call(const script& what, std::vector<std::string> keys,
                                      std::vector<std::string> arguments) {
  std::vector<std::string> words;
  words.reserve(3 + keys.size() + arguments.size());
  words.insert(words.end(), {"EVALSHA", what.sha, std::to_string(keys.size())});
  std::ranges::move(keys, std::back_inserter(words));
  std::ranges::move(arguments, std::back_inserter(words));
  return words;
}

void member::send_waiting(time_point now) {
  while (routes_under_way_ < max_routes_under_way && !routes_.empty()) send_routes(now);
  while (answers_under_way_ < max_answers_under_way && !answers_.empty()) send_answers(now);
  refuse_late(now);
  while (commands_under_way_ < max_commands_under_way &&
         !(waiting_claims_.empty() && waiting_releases_.empty())) {
    send_command(now);
  }
}

// In the order in which they came: who asks for a name that was let go of gets it.
void member::send_command(time_point now) {
  const bool claim_first = waiting_releases_.empty() ||
                           (!waiting_claims_.empty() &&
                            waiting_claims_.front().what.at < waiting_releases_.front().what.at);
  auto& from = claim_first ? waiting_claims_ : waiting_releases_;
  auto next = std::move(from.front());
  from.pop_front();
  if (claim_first) {
    const auto& asked = next.what.asked;
    claims_under_way_.push_back({next.what.at + settings_.patience, asked.by, asked.name});
  }
  next.what.at = now;
  ++commands_under_way_;
  send(std::move(next.what), std::move(next.words));
}

void member::send_routes(time_point now) {
  sent out{.what = sent::type::route, .at = now};
  std::vector<std::string> keys, arguments;
  for (std::size_t bytes = 0;
       !routes_.empty() && out.messages.size() < max_batch && bytes < max_batch_bytes;
       routes_.pop_front()) {
    auto& [m, text, at] = routes_.front();
    bytes += text.size();
    keys.push_back(name_key(m.target));
    keys.push_back(name_key(m.sender));
    arguments.push_back(std::move(text));
    arguments.push_back(std::to_string(m.from.generation));
    out.messages.push_back(std::move(m));
  }
  stats_.published += out.messages.size();
  ++routes_under_way_;
  send(std::move(out), call(route_script(), std::move(keys), std::move(arguments)));
}

void member::send_answers(time_point now) {
  auto& [node, text] = answers_.front();
  ++answers_under_way_;
  send({.what = sent::type::answers, .at = now}, {"PUBLISH", inbox_channel(node), std::move(text)});
  answers_.pop_front();
}

std::optional<time_point> member::waited_enough_at() const {
  std::optional<time_point> when;
  if (!routes_.empty()) when = routes_.front().at + longest_wait;
  if (claims_told_ < claims_under_way_.size()) {
    when = earlier(when, claims_under_way_[claims_told_].until);
  } else if (!waiting_claims_.empty()) {
    when = earlier(when, waiting_claims_.front().what.at + settings_.patience);
  }
  return when;
}

void member::refuse_claim(const hub::owner& by, std::string name) {
  tell(envelope::type::unavailable, by, request_type::register_, std::move(name));
}

void member::settle_late(const std::string& name) {
  const auto found = late_names_.find(name);
  if (found != late_names_.end() && --found->second == 0) late_names_.erase(found);
}

// Nobody is left waiting. Of a name that is given all the same, to who was told that it is not, the
// exchange lets go. A release waits as long as it takes.
void member::refuse_late(time_point now) {
  while (!routes_.empty() && now >= routes_.front().at + longest_wait) {
    auto& m = routes_.front().what;
    waiting_bytes_ -= m.bytes;
    if (!hub::is_acknowledged(m.request) || unacknowledged_.erase(m.id) != 0) {
      tell(envelope::type::busy, m.from, m.request, std::move(m.target));
    }
    routes_.pop_front();
  }
  for (; claims_told_ < claims_under_way_.size(); ++claims_told_) {
    auto& c = claims_under_way_[claims_told_];
    if (now < c.until) break;
    ++late_names_[c.name];
    refuse_claim(c.by, std::move(c.name));
  }
  while (!waiting_claims_.empty() && now >= waiting_claims_.front().what.at + settings_.patience) {
    auto& asked = waiting_claims_.front().what.asked;
    --claims_;
    refuse_claim(asked.by, std::move(asked.name));
    waiting_claims_.pop_front();
  }
}

// Nobody knows what became of commands without a reply; what waits has not been seen by Redis.
void member::give_up_commands() {
  for (auto& s : sent_) {
    if (s.what == sent::type::claim) {
      unsettle(std::move(s.asked.name), settings_.resume_window.count(), hash_text(s.asked.fresh));
    } else if (s.what == sent::type::release) {
      unsettle(std::move(s.left.name), s.left.hold_ms, {});
    } else if (s.what == sent::type::route) {
      routed(s.messages, {});
    }
  }
  sent_.clear();
  for (; claims_told_ < claims_under_way_.size(); ++claims_told_) {
    auto& c = claims_under_way_[claims_told_];
    refuse_claim(c.by, std::move(c.name));
  }
  claims_under_way_.clear();
  late_names_.clear();
  for (auto& [s, words] : waiting_claims_) refuse_claim(s.asked.by, std::move(s.asked.name));
  waiting_claims_.clear();
  for (auto& [s, words] : waiting_releases_) {
    unsettle(std::move(s.left.name), s.left.hold_ms, {});
  }
  waiting_releases_.clear();
  std::vector<message> unsent;
  unsent.reserve(routes_.size());
  for (auto& r : routes_) unsent.push_back(std::move(r.what));
  routes_.clear();
  routed(unsent, {});
  answers_.clear();
  to_recover_.clear();
  recovering_ = claims_ = claims_told_ = routes_under_way_ = answers_under_way_ =
      commands_under_way_ = 0;
}

}  // namespace nat::cluster
