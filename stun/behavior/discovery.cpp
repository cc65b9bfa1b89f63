#include "stun/behavior/discovery.hpp"

#include <algorithm>
#include <utility>

#include "protocol/base/ensure.hpp"

namespace nat::behavior {
namespace {

using std::chrono::milliseconds;

constexpr duration first_interval = milliseconds{250}, least_interval = milliseconds{50},
                   most_interval = milliseconds{500};
// A question that will be answered unless everything is lost, and one that a NAT may keep
// unanswered for ever: silence means something there, and costs time.
constexpr unsigned sends_when_answered = 12, sends_when_silent = 6;

bool may_stay_silent(const exchange& e) {
  return e.why == purpose::filtering || e.why == purpose::hairpin || e.why == purpose::fragments ||
         e.response_port != 0;
}

// Whether this answers the question; what it says then stands in it.
bool take(question& q, socket_id at, const endpoint& from, const stun::message_view& view) {
  if (q.seen.why == purpose::hairpin) {
    // Our own request; whatever answers it instead is somebody else.
    if (view.type() != stun::binding_request) return false;
    q.seen.what = outcome::answered;
    return true;
  }
  const bool refusal = view.type() == stun::binding_error;
  const bool placed = refusal ? from == q.seen.to && at == q.through
                              : may_answer(q.seen, from) && at == q.expected_at;
  return placed && take_answer(q.seen, view);
}

}  // namespace

discovery::discovery(discovery_config config, random_source& random, time_point now)
    : config_(std::move(config)), random_(&random), started_(now) {
  if (config_.servers.size() > config_.max_servers) config_.servers.resize(config_.max_servers);
  if (config_.servers.empty()) {
    finished_ = true;
    return;
  }
  open(1, step::ask);
}

void discovery::open(std::size_t count, step what) {
  ensure(opening_ == step::none);
  opening_ = what;
  first_opening_ = doors_.size();
  unsettled_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    requests_.push_back(open_socket{doors_.size()});
    doors_.emplace_back();
  }
}

void discovery::socket_opened(socket_id id, const endpoint& local, time_point now) {
  doors_.at(id) = {local, true};
  settle_socket(now);
}

void discovery::socket_failed(socket_id, time_point now) {
  settle_socket(now);
}

void discovery::settle_socket(time_point now) {
  ensure(unsettled_ > 0);
  if (--unsettled_ > 0) return;
  start(std::exchange(opening_, step::none), now);
  advance(now);
}

std::size_t discovery::ask(socket_id through, exchange e, time_point now) {
  question q{.seen = std::move(e), .through = through, .expected_at = through};
  q.id = stun::make_transaction_id(*random_);
  q.request = write_request(q.id, q.seen);
  q.first = q.last = q.next = now;
  by_id_[q.id] = questions_.size();
  questions_.push_back(std::move(q));
  return questions_.size() - 1;
}

bool discovery::handle_datagram(socket_id at, const address& arrived_at, const endpoint& from,
                                byte_view data, time_point now) {
  if (finished_ || at >= doors_.size()) return false;
  const auto view = stun::message_view::parse(data);
  if (!view) return false;
  const auto found = by_id_.find(view->id());
  if (found == by_id_.end()) return false;
  auto& q = questions_[found->second];
  if (!q.pending() || q.seen.sends == 0 || !take(q, at, from, *view)) return false;
  fill_in_address(at, arrived_at);
  q.seen.from = from;
  q.seen.rtt = now - q.first;
  note_answer(q, now);
  advance(now);
  return true;
}

void discovery::note_answer(const question& q, time_point now) {
  if (!first_answer_ && q.seen.answered()) first_answer_ = now;
  if (q.seen.why == purpose::hairpin || q.seen.response_port != 0) return;
  if (q.seen.sends > 1) {
    lossy_ = lossy_ || q.seen.why == purpose::ports;
    return;
  }
  round_trip_.add(q.seen.rtt);
  // What was sent before anything was known of the round trip waits no longer than the rest.
  for (auto& other : questions_) {
    if (other.pending() && !other.due) other.next = std::min(other.next, other.last + interval());
  }
}

void discovery::fill_in_address(socket_id at, const address& arrived_at) {
  auto& local = doors_[at].local;
  if (is_unspecified(local.ip)) local.ip = unmapped(arrived_at);
}

void discovery::handle_unreachable(socket_id at, const endpoint& to, time_point now) {
  for (auto& q : questions_) {
    if (q.pending() && q.seen.why == purpose::mapping && q.through == at && q.seen.to == to) {
      q.seen.what = outcome::silent;
    }
  }
  advance(now);
}

void discovery::handle_tcp(bool answered, time_point now) {
  tcp_ = tcp_.value_or(false) || answered;  // it may close after its answer
  advance(now);
}

duration discovery::interval() const {
  return std::min(round_trip_.rto(first_interval, least_interval), most_interval);
}

unsigned discovery::patience(const question& q) const {
  return may_stay_silent(q.seen) && !lossy_ ? sends_when_silent : sends_when_answered;
}

void discovery::pass_time(question& q, time_point now) {
  if (!q.pending() || q.due || now < q.next) return;
  if (q.seen.sends < patience(q)) {
    q.due = true;
  } else {
    q.seen.what = outcome::silent;
  }
}

void discovery::handle_timeout(time_point now) {
  if (finished_) return;
  for (auto& q : questions_) pass_time(q, now);
  advance(now);
}

std::optional<discovery_request> discovery::poll_request() {
  if (requests_.empty()) return std::nullopt;
  auto out = requests_.front();
  requests_.pop_front();
  return out;
}

std::optional<datagram_out> discovery::poll_transmit(time_point now) {
  if (finished_) return std::nullopt;
  for (auto& q : questions_) {
    if (!q.pending() || !q.due) continue;
    q.due = false;
    if (q.seen.sends++ == 0) q.first = now;
    q.last = now;
    q.next = now + interval();
    return datagram_out{q.through, q.seen.to, q.request};
  }
  return std::nullopt;
}

std::optional<time_point> discovery::next_timeout() const {
  if (finished_) return std::nullopt;
  auto next = earlier(next_step(), next_trial());
  for (const auto& q : questions_) {
    if (q.pending() && !q.due) next = earlier(next, q.next);
  }
  return next;
}

std::vector<exchange> discovery::evidence() const {
  std::vector<exchange> out;
  for (const auto& q : questions_) {
    out.push_back(q.seen);
    out.back().local = doors_[q.through].local;
  }
  return out;
}

circumstances discovery::known() const {
  return {.server = server_.value_or(endpoint{}),
          .tcp = tcp_,
          .router_external = config_.router_external,
          .lifetime_wanted = config_.lifetime};
}

}  // namespace nat::behavior
