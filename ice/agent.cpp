#include "ice/agent.hpp"

#include <algorithm>

#include "ice/agent_state.hpp"
#include "ice/patience.hpp"
#include "protocol/demux.hpp"

namespace nat::ice {
namespace {

// What a pair that does not answer takes to fail, and a little more.
constexpr duration worth_retrying = std::chrono::seconds{14};

}  // namespace

agent::state::state(agent_config c, random_source& r, time_point now)
    : config(std::move(c)),
      random(r),
      mine(config.initial_role),
      keys(config.local),
      locals(config.max_local_candidates),
      remotes(config.max_remote_candidates),
      list(config.max_pairs, r),
      early(config.max_queued_checks),
      tie_breaker(random_u64(r)),
      trust(config.doubt_after),
      started(now),
      last_news(now),
      signaling_delay(config.signaling_delay) {
  advance(now);
}

// ---- the order of things ----

void agent::state::advance(time_point now) {
  forget_old(now);
  watch_path(now);
  send_due(now);
  send_ordinary(now);
  conclude(now);
  arm(now);
}

void agent::state::forget_old(time_point now) {
  early.expire(now - config.early_check_age);
  if (timers.due(timer::old_generation, now)) {
    timers.stop(timer::old_generation);
    keys.forget_previous();
    drop_pairs([&](const pair& p) { return p.generation != keys.current().generation; });
  }
}

void agent::state::conclude(time_point now) {
  timers.stop(timer::patience);
  if (at != phase::searching) return;
  const auto& k = keys.current();
  const auto due = failure_due({.started = started,
                                .last_news = last_news,
                                .both_ended = locals.ended && remotes.ended,
                                .active = k.remote ? list.active(k.generation) : 0},
                               config.patience);
  if (due && *due <= now) {
    at = phase::failed;
    timers.stop(timer::retry);
    emit(failed{.was_connected = had_path});
    return;
  }
  timers.set(timer::patience, due);
  // Everything has failed, and there is time for another attempt: each after a longer pause.
  if (due && *due - now > worth_retrying && !timers.get(timer::retry)) {
    timers.set(timer::retry,
               now + std::max<duration>(std::chrono::seconds{1}, (now - started) / 4));
  }
}

void agent::state::arm(time_point now) {
  std::optional<time_point> next;
  for (const auto& p : list.all()) {
    if (p->due && can_check(*p)) next = earlier(next, p->due);
  }
  timers.set(timer::checks, next);
  const auto oldest = early.oldest();
  timers.set(timer::early_checks,
             oldest ? std::optional(*oldest + config.early_check_age) : std::nullopt);
  arm_path(now);
}

void agent::state::push(const path& via, bytes message, std::optional<std::uint8_t> hop_limit) {
  if (outbox.size() >= config.max_outbox) {
    ++counters.limited;  // lost, as datagrams may be
    return;
  }
  outbox.push_back({via, std::move(message), 0, hop_limit});
}

void agent::state::emit(event what) {
  if (events.size() >= config.max_events) {
    events.pop_front();  // the latest says where things stand
    ++counters.limited;
  }
  events.push_back(std::move(what));
  ++emitted;
}

// ---- the interface ----

agent::agent(agent_config config, random_source& random, time_point now)
    : state_(std::make_unique<state>(std::move(config), random, now)) {}
agent::~agent() = default;
agent::agent(agent&&) noexcept = default;
agent& agent::operator=(agent&&) noexcept = default;

bool agent::handle_datagram(const path& from, byte_view datagram, time_point now) {
  auto& s = *state_;
  if (classify(datagram) != datagram_kind::stun) return false;
  const auto message = stun::message_view::parse(datagram);
  if (!message) {
    if (message.error() == stun::parse_error::not_stun) return false;
    ++s.counters.malformed;
    return true;
  }
  if (message->type().method != stun::method::binding) return false;
  bool ours = false;
  switch (message->type().kind) {
    case stun::kind::request:
      ours = s.handle_request(from, *message, now);
      break;
    case stun::kind::success:
    case stun::kind::error:
      ours = s.handle_answer(from, *message, now);
      break;
    case stun::kind::indication:
      return is_checked(from);  // a keepalive: RFC 8445, 11
  }
  if (ours) s.advance(now);
  return ours;
}

void agent::note_received(const path& via, time_point now) {
  using namespace std::chrono_literals;
  auto& s = *state_;
  if (s.selected == nullptr) return;
  if (s.selected->via == via) {
    s.trust.received(now);
  } else if (is_checked(via) && now - s.trust.last_received().value_or(s.started) > 200ms &&
             (!s.last_stray || now - *s.last_stray > 2s)) {
    // The peer sends by another path while ours is silent: it may know that what we send does not
    // arrive, and its checks on our path would go on telling us that all is well.
    s.last_stray = now;
    s.raise_doubt(now, true);
    s.advance(now);
    return;
  }
  s.arm_path(now);
}

void agent::note_sent(const path& via, time_point now) {
  auto& s = *state_;
  if (s.selected == nullptr || s.selected->via != via) return;
  s.trust.sent(now);
  s.arm_path(now);
}

void agent::handle_send_failure(const path& via, time_point now) {
  auto& s = *state_;
  if (s.selected != nullptr && s.selected->via == via) {
    s.raise_doubt(now);
  } else if (auto* p = s.list.find(via, s.keys.current().generation); p != nullptr && p->valid()) {
    s.verify(*p, now);
  }
  // Nothing for a pair that is not valid: until the peer's first packet its NAT may well say that
  // nobody is there, and every opener brings an ICMP message (README, "ICMP").
  s.advance(now);
}

void agent::handle_timeout(time_point now) {
  state_->advance(now);
}

std::optional<transmit> agent::poll_transmit() {
  auto& box = state_->outbox;
  if (box.empty()) return std::nullopt;
  std::optional<transmit> first(std::move(box.front()));
  box.pop_front();
  return first;
}

std::optional<event> agent::poll_event() {
  auto& box = state_->events;
  if (box.empty()) return std::nullopt;
  std::optional<event> first(std::move(box.front()));
  box.pop_front();
  return first;
}

std::optional<time_point> agent::next_timeout() const {
  return state_->timers.next();
}

std::optional<path> agent::selected() const {
  if (state_->selected == nullptr) return std::nullopt;
  return state_->selected->via;
}

bool agent::is_checked(const path& via) const {
  const auto& s = *state_;
  if (s.selected != nullptr && s.selected->via == via) return true;
  for (const auto& p : s.list.all()) {
    if (p->via == via && (p->heard || p->answered)) return true;
  }
  return s.early.knows(via);
}

std::optional<duration> agent::rtt() const {
  return state_->selected != nullptr ? state_->selected->rtt.smoothed() : std::nullopt;
}

ice::role agent::role() const {
  return state_->mine;
}

const credentials& agent::local_credentials() const {
  return state_->keys.current().local;
}

std::vector<pair_report> agent::pairs() const {
  std::vector<pair_report> reports;
  for (const auto& p : state_->list.all()) {
    reports.push_back({p->local, p->remote, p->state, p->nominated, p.get() == state_->selected,
                       p->checks_sent, p->checks_received, p->responses_received,
                       p->rtt.smoothed()});
  }
  return reports;
}

const agent_counters& agent::counters() const {
  return state_->counters;
}

}  // namespace nat::ice
