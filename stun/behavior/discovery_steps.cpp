// What is asked when.

#include <algorithm>

#include "stun/behavior/discovery.hpp"

namespace nat::behavior {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t first_samples = 8, more_samples = block_samples;
// How long a server with a second address may take longer than the first without.
constexpr duration grace = milliseconds{100};
constexpr duration tcp_after = milliseconds{600};
constexpr unsigned enough_sends = 3;  // of a question that the deadline cuts off
constexpr stun::change_value change_both{true, true}, change_port{false, true};

}  // namespace

void discovery::start(step what, time_point now) {
  switch (what) {
    case step::none:
      return;
    case step::ask:
      return ask_servers(now);
    case step::test:
      return test(now);
    case step::sample:
      return sample(first_opening_, more_samples, now);
    case step::foresee:
      return foresee(now);
    case step::outwait:
      return make_mappings(now);
  }
}

void discovery::advance(time_point now) {
  if (finished_ || opening_ != step::none) return;
  if (tests_over_) return advance_trials(now);
  if (now >= started_ + config_.deadline) return end_tests();
  if (server_) {
    advance_tests(now);
  } else {
    advance_asking(now);
  }
}

void discovery::ask_servers(time_point now) {
  if (!doors_[0].open) return;
  for (const auto& server : config_.servers) ask(0, {.why = purpose::mapping, .to = server}, now);
}

void discovery::advance_asking(time_point now) {
  if (may_choose(now)) {
    choose_server();
    return open(2 + first_samples, step::test);
  }
  if (first_answer_) return;
  const bool hopeless = all_settled();
  if (!tcp_asked_ && (hopeless || now >= started_ + tcp_after)) {
    tcp_asked_ = true;
    requests_.push_back(ask_tcp{config_.servers.front()});
  }
  if (hopeless && tcp_) end_tests();
}

bool discovery::may_choose(time_point now) const {
  bool answered = false, other = false;
  for (const auto& q : questions_) {
    answered = answered || q.seen.answered();
    other = other || q.seen.other;
  }
  return other || (answered && (all_settled() || now >= *first_answer_ + grace));
}

// The first with a second address, else the first.
void discovery::choose_server() {
  for (const auto& q : questions_) {
    if (!q.seen.answered()) continue;
    if (!server_ || (q.seen.other && !other_)) server_ = q.seen.to;
    if (!other_) other_ = q.seen.other;
  }
}

// Sockets of a step: two for filtering and fragments, then those for ports.
void discovery::test(time_point now) {
  const auto filtering = first_opening_, fragments = first_opening_ + 1;
  sample(first_opening_ + 2, first_samples, now);
  if (!other_) return;
  const endpoint &main = *server_, &other = *other_;
  for (const auto& to : {endpoint{other.ip, main.port}, other, endpoint{main.ip, other.port}}) {
    ask(0, {.why = purpose::mapping, .to = to}, now);
  }
  if (doors_[filtering].open) {
    ask(filtering, {.why = purpose::filtering, .to = main, .change = change_both}, now);
    ask(filtering, {.why = purpose::filtering, .to = main, .change = change_port}, now);
  }
  if (doors_[fragments].open) {
    ask(fragments, {.why = purpose::fragments, .to = main, .padded = true}, now);
  }
}

// Back to back, so that nothing of ours comes between two mappings.
void discovery::sample(std::size_t first, std::size_t count, time_point now) {
  for (auto at = first; at < first + count; ++at) {
    if (doors_[at].open) ask(at, {.why = purpose::ports, .to = *server_}, now);
  }
}

void discovery::advance_tests(time_point now) {
  if (!hairpinned_) ask_ourselves(now);
  follow_sequence(now);
  if (wants_samples()) {
    sampled_ = true;
    return open(more_samples, step::sample);
  }
  if (wants_foresight()) {
    foreseen_ = true;
    return open(3, step::foresee);
  }
  if (all_settled()) end_tests();
}

// What looks like chance may come from a block, which takes more samples to see.
bool discovery::wants_samples() const {
  if (sampled_) return false;
  for (const auto& q : questions_) {
    if (q.seen.why == purpose::ports && q.pending()) return false;
  }
  const auto so_far = verdict();
  return so_far.translated == true && so_far.ports.kind == port_choice::random;
}

// RFC 5780, 4.5: to our own mapping, from its own socket and from another.
void discovery::ask_ourselves(time_point now) {
  const question* two[2] = {};
  std::size_t found = 0;
  bool waiting = false;
  for (const auto& q : questions_) {
    if (q.seen.why != purpose::ports) continue;
    waiting = waiting || q.pending();
    if (q.seen.answered() && found < 2) two[found++] = &q;
  }
  if (found < 2) {
    hairpinned_ = !waiting;
    return;
  }
  hairpinned_ = true;
  if (verdict().translated != true) return;
  const auto first = two[0]->through, second = two[1]->through;
  const endpoint to_first = *two[0]->seen.mapped, to_second = *two[1]->seen.mapped;
  for (const auto& [from, to] :
       {std::pair{first, to_first}, {first, to_second}, {second, to_first}}) {
    if (is_plausible(*server_, to)) ask(from, {.why = purpose::hairpin, .to = to}, now);
  }
}

// Where the filter stops what comes from our own mappings, both sides' mappings must be foreseen.
bool discovery::wants_foresight() const {
  if (foreseen_ || !hairpinned_ || !other_ || !all_settled()) return false;
  const auto so_far = verdict();
  return so_far.translated == true && !so_far.hairpin && so_far.mapping_depends &&
         (so_far.ports.kind == port_choice::preserving ||
          so_far.ports.kind == port_choice::sequential);
}

void discovery::foresee(time_point now) {
  for (auto at = first_opening_; at < first_opening_ + 3; ++at) {
    if (!doors_[at].open) return;
  }
  const auto scout = first_opening_, one = scout + 1, two = scout + 2;
  const auto so_far = verdict();
  if (so_far.ports.kind == port_choice::sequential) {
    scout_ = ask(scout, {.why = purpose::mapping, .to = *server_}, now);
    return;
  }
  const auto outside = so_far.external.front();
  cross(one, {outside, doors_[two].local.port}, now);
  cross(two, {outside, doors_[one].local.port}, now);
}

void discovery::cross(socket_id from, const endpoint& to, time_point now) {
  if (!is_plausible(*server_, to)) return;
  ask(from, {.why = purpose::hairpin, .to = to, .predicted = true}, now);
}

void discovery::follow_sequence(time_point now) {
  if (!scout_ || questions_[*scout_].pending()) return;
  const auto scout = questions_[*scout_];
  scout_.reset();
  if (!scout.seen.answered()) return;
  const auto stride = verdict().ports.step;
  const auto place = [&](int steps) {
    return endpoint{scout.seen.mapped->ip,
                    static_cast<std::uint16_t>(scout.seen.mapped->port + steps * stride)};
  };
  cross(scout.through + 1, place(2), now);
  cross(scout.through + 2, place(1), now);
}

bool discovery::all_settled() const {
  return std::ranges::none_of(questions_, &question::pending);
}

void discovery::end_tests() {
  tests_over_ = true;
  for (auto& q : questions_) {
    if (q.pending() && q.seen.sends >= enough_sends) q.seen.what = outcome::silent;
  }
  if (!config_.lifetime || !other_) {
    finished_ = true;
    return;
  }
  for (socket_id id = 1; id < doors_.size(); ++id) requests_.push_back(close_socket{id});
  begin_round();
}

std::optional<time_point> discovery::next_step() const {
  if (tests_over_) return std::nullopt;
  std::optional<time_point> next = started_ + config_.deadline;
  if (server_) return next;
  if (first_answer_) return earlier(next, *first_answer_ + grace);
  if (!tcp_asked_) next = earlier(next, started_ + tcp_after);
  return next;
}

}  // namespace nat::behavior
