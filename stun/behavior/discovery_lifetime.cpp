// The lifetime of mappings: RFC 5780, 4.6. Each trial is a socket that makes a mapping and is then
// left alone; after its silence the first socket has an answer sent to that mapping.

#include <algorithm>

#include "stun/behavior/discovery.hpp"

namespace nat::behavior {

void discovery::begin_round() {
  const auto silences = search_.round();
  const bool stuck = search_.alive_after() == alive_before_ && search_.gone_after() == gone_before_;
  for (const auto& t : trials_) {
    requests_.push_back(close_socket{questions_[t.maker].through});
  }
  trials_.clear();
  if (silences.empty() || stuck) {
    finished_ = true;
    return;
  }
  alive_before_ = search_.alive_after();
  gone_before_ = search_.gone_after();
  open(silences.size(), step::outwait);
}

void discovery::make_mappings(time_point now) {
  const auto silences = search_.round();
  for (std::size_t i = 0; i < silences.size(); ++i) {
    const auto at = first_opening_ + i;
    if (!doors_[at].open) continue;
    trials_.push_back({ask(at, {.why = purpose::lifetime, .to = *server_}, now), silences[i]});
  }
}

void discovery::advance_trials(time_point now) {
  // All that is known first: it decides which of the others still matter.
  for (const auto& t : trials_) note_result(t);
  if (finished_) return;
  bool over = true;
  for (auto& t : trials_) {
    if (!advance_trial(t, now)) over = false;
  }
  if (over) begin_round();
}

void discovery::note_result(const trial& t) {
  if (!t.probe) return;
  const auto what = questions_[*t.probe].seen.what;
  if (what == outcome::refused) finished_ = true;  // no RESPONSE-PORT
  if (what == outcome::answered) search_.survived(t.silence);
  if (what == outcome::silent) search_.expired(t.silence);
}

bool discovery::advance_trial(trial& t, time_point now) {
  if (t.probe) return !questions_[*t.probe].pending();
  if (questions_[t.maker].pending()) return false;
  const auto maker = questions_[t.maker].seen;
  if (!maker.answered()) return true;
  if (!search_.matters(t.silence)) return true;
  if (now < questions_[t.maker].last + t.silence) return false;
  t.probe = ask(0,
                {.why = purpose::lifetime,
                 .to = *server_,
                 .response_port = maker.mapped->port,
                 .silence = t.silence},
                now);
  questions_[*t.probe].expected_at = questions_[t.maker].through;
  return false;
}

std::optional<time_point> discovery::next_trial() const {
  std::optional<time_point> next;
  for (const auto& t : trials_) {
    const auto& maker = questions_[t.maker];
    if (t.probe || !maker.seen.answered() || !search_.matters(t.silence)) continue;
    next = earlier(next, maker.last + t.silence);
  }
  return next;
}

std::optional<lifetime_bounds> discovery::lifetime_so_far() const {
  if (!tests_over_ || finished_) return std::nullopt;
  return lifetime_bounds{search_.alive_after(), search_.gone_after()};
}

}  // namespace nat::behavior
