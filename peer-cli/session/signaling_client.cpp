#include "peer-cli/session/signaling_client.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace nat::session {
namespace {

// What the server refuses now it may grant a moment later, even to one it has never seen.
bool is_momentary(std::string_view code) {
  return code == "cluster-unavailable" || code == "going-away";
}

// The same for one that was registered. Its name is held for it after an unclean end; it is the
// owner too where a resume secret was lost to a restart of the server, or where the old connection
// is not seen as dead yet.
bool is_passing(std::string_view code) {
  static constexpr std::array<std::string_view, 4> codes{"id-taken", "rate-limited", "internal",
                                                         "not-registered"};
  return is_momentary(code) || std::ranges::find(codes, code) != codes.end();
}

}  // namespace

signaling_client::signaling_client(signaling_config config, random_source& random, time_point now)
    : config_(std::move(config)), random_(random) {
  connect(now);
}

void signaling_client::connect(time_point now) {
  attempt_ = attempt{.id = next_id_++, .deadline = now + config_.register_timeout};
  outputs_.emplace_back(signaling_connect{attempt_->id});
}

void signaling_client::opened(signaling_id id, const signaling_token& token, time_point now) {
  if (!attempt_ || attempt_->id != id || attempt_->asked) return;
  attempt_->asked = now;
  attempt_->deadline = now + config_.register_timeout;
  attempt_->token_trouble = token.trouble;
  outputs_.emplace_back(
      signaling_send{id, signal::to_json(signal::client_message{
                             signal::register_message{config_.peer_id, token.text, resume_}})});
}

void signaling_client::received(signaling_id id, std::string_view text, time_point now) {
  auto message = signal::parse_server_message(text);
  if (!message) return;  // a newer server may say more than we know
  if (attempt_ && attempt_->id == id) return handle_answer(*message, now);
  const bool current = current_ == id;
  if (!current && !(predecessor_ && predecessor_->id == id)) return;
  const auto* const error = std::get_if<signal::error_message>(&*message);
  const bool disowned = error != nullptr && error->code == "not-registered";
  if (disowned || std::holds_alternative<signal::going_away_message>(*message)) {
    if (!current) return;
    outputs_.emplace_back(signaling_disconnect{id});
    current_failed(disowned ? error->message : "the server is going away", now);
    return;
  }
  if (!std::holds_alternative<signal::registered_message>(*message)) {
    events_.emplace_back(std::move(*message));
  }
}

void signaling_client::handle_answer(signal::server_message& message, time_point now) {
  if (!attempt_->asked) return;
  if (auto* const registration = std::get_if<signal::registered_message>(&message)) {
    handle_registered(*registration, now);
  } else if (const auto* const error = std::get_if<signal::error_message>(&message)) {
    handle_refusal(*error, now);
  } else if (std::holds_alternative<signal::going_away_message>(message)) {
    outputs_.emplace_back(signaling_disconnect{attempt_->id});
    attempt_failed("going-away", "the server is going away", now);
  }
}

void signaling_client::handle_registered(signal::registered_message& registration, time_point now) {
  if (predecessor_) outputs_.emplace_back(signaling_disconnect{predecessor_->id});
  predecessor_.reset();
  if (current_) predecessor_ = predecessor{*current_, now + config_.register_timeout};
  current_ = attempt_->id;
  round_trip_ = now - *attempt_->asked;
  attempt_.reset();
  registered_at_ = now;
  resume_ = registration.resume;
  trouble_.clear();
  told_.clear();
  send_waiting();
  events_.emplace_back(signaling_ready{
      std::move(registration), std::exchange(was_registered_, true), std::exchange(lost_, false)});
}

void signaling_client::handle_refusal(const signal::error_message& error, time_point now) {
  auto why = error.message;
  if (!attempt_->token_trouble.empty()) why += " (" + attempt_->token_trouble + ')';
  const bool passing = was_registered_ ? is_passing(error.code) : is_momentary(error.code);
  const auto whole = "the signaling server refused to register '" + config_.peer_id + "': " + why;
  if (!current_ && !passing && !(persistent_ && was_registered_)) {
    return give_up({exit_status::signaling, error.code, whole});
  }
  outputs_.emplace_back(signaling_disconnect{attempt_->id});
  attempt_failed(error.code, whole, now);
}

void signaling_client::closed(signaling_id id, const std::string& reason, time_point now) {
  if (current_ == id) {
    current_failed(reason, now);
  } else if (attempt_ && attempt_->id == id) {
    attempt_failed({}, reason, now);
  } else if (predecessor_ && predecessor_->id == id) {
    predecessor_.reset();
  }
}

// `code`: of the refusal, where there was one.
void signaling_client::attempt_failed(const std::string& code, const std::string& reason,
                                      time_point now) {
  attempt_.reset();
  if (current_) {
    send_waiting();
    if (std::exchange(told_, reason) != reason) {
      events_.emplace_back(signaling_not_refreshed{reason});
    }
  } else if (!was_registered_ && attempts_ == 0 && code.empty()) {
    give_up({exit_status::signaling, "signaling-unreachable",
             "can't register at the signaling server: " + reason});
  } else {
    wait(code, reason, now);
  }
}

void signaling_client::current_failed(const std::string& reason, time_point now) {
  current_.reset();
  // Not at the registration: a server that takes us and drops us at once would get no pause.
  if (now - registered_at_ >= config_.max_backoff) attempts_ = 0;
  told_.clear();
  trouble_ = reason;
  lost_ = true;
  // A refresh under way goes on in its place: the server closes the old connection as soon as it
  // has taken the new one, and this may be heard first.
  if (!attempt_) wait({}, reason, now);
}

void signaling_client::wait(const std::string& code, const std::string& reason, time_point now) {
  trouble_ = reason;
  const auto steps = std::min(attempts_++, 10U);
  const auto full = std::min(config_.max_backoff, config_.first_backoff * (1U << steps));
  const auto delay = full / 2 + duration(static_cast<duration::rep>(random_below(
                                    random_, static_cast<std::uint64_t>(full.count() / 2) + 1)));
  retry_at_ = now + delay;
  if (!code.empty() && std::exchange(told_, code) == code) return;
  events_.emplace_back(signaling_lost{reason, delay});
}

void signaling_client::handle_timeout(time_point now) {
  if (predecessor_ && now >= predecessor_->deadline) {
    outputs_.emplace_back(signaling_disconnect{predecessor_->id});
    predecessor_.reset();
  }
  if (attempt_ && now >= attempt_->deadline) {
    outputs_.emplace_back(signaling_disconnect{attempt_->id});
    attempt_failed({}, attempt_->asked ? "no answer within 10 s" : "no connection within 10 s",
                   now);
  }
  if (retry_at_ && now >= *retry_at_) {
    retry_at_.reset();
    connect(now);
  }
}

std::optional<time_point> signaling_client::next_timeout() const {
  auto next = retry_at_;
  if (attempt_) next = earlier(next, attempt_->deadline);
  if (predecessor_) next = earlier(next, predecessor_->deadline);
  return next;
}

void signaling_client::send(const signal::client_message& message) {
  if (stopped_) return;
  auto text = signal::to_json(message);
  // A connection that is being taken over may be mute already.
  const bool certain = current_ && !(attempt_ && attempt_->asked);
  if (certain) {
    outputs_.emplace_back(signaling_send{*current_, std::move(text)});
  } else if (waiting_.size() < config_.max_queue) {
    waiting_.push_back(std::move(text));
  }
}

void signaling_client::send_waiting() {
  for (auto& kept : waiting_) outputs_.emplace_back(signaling_send{*current_, std::move(kept)});
  waiting_.clear();
}

void signaling_client::refresh(time_point now) {
  if (current_ && !attempt_) connect(now);
}

void signaling_client::stop() {
  stopped_ = true;
  attempt_.reset();
  current_.reset();
  predecessor_.reset();
  retry_at_.reset();
}

void signaling_client::leave() {
  if (current_) send_waiting();
  if (attempt_) outputs_.emplace_back(signaling_disconnect{attempt_->id});
  if (current_) outputs_.emplace_back(signaling_disconnect{*current_});
  if (predecessor_) outputs_.emplace_back(signaling_disconnect{predecessor_->id});
  stop();
}

void signaling_client::give_up(failure why) {
  leave();
  events_.emplace_back(std::move(why));
}

std::optional<signaling_output> signaling_client::poll_output() {
  if (outputs_.empty()) return std::nullopt;
  auto output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

std::optional<signaling_event> signaling_client::poll_event() {
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

}  // namespace nat::session
