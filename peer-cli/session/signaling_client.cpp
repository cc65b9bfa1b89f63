#include "peer-cli/session/signaling_client.hpp"

#include <algorithm>
#include <utility>

namespace nat::session {

signaling_client::signaling_client(signaling_config config, random_source& random, time_point now)
    : config_(std::move(config)), random_(random) {
  connect(now);
}

void signaling_client::connect(time_point now) {
  state_ = state::connecting;
  deadline_ = now + config_.register_timeout;
  outputs_.emplace_back(signaling_connect{});
}

void signaling_client::opened(time_point now) {
  if (state_ != state::connecting) return;
  state_ = state::registering;
  asked_ = now;
  deadline_ = now + config_.register_timeout;
  outputs_.emplace_back(signaling_send{signal::to_json(
      signal::client_message{signal::register_message{config_.peer_id, config_.token, resume_}})});
}

void signaling_client::received(std::string_view text, time_point now) {
  auto message = signal::parse_server_message(text);
  if (!message || state_ == state::stopped) return;  // a newer server may say more than we know
  if (auto* const registration = std::get_if<signal::registered_message>(&*message)) {
    if (state_ != state::registering) return;
    state_ = state::registered;
    round_trip_ = now - asked_;
    deadline_.reset();
    attempts_ = 0;
    resume_ = registration->resume;
    for (auto& kept : waiting_) outputs_.emplace_back(signaling_send{std::move(kept)});
    waiting_.clear();
    events_.emplace_back(
        signaling_ready{std::move(*registration), std::exchange(was_registered_, true)});
  } else if (const auto* const error = std::get_if<signal::error_message>(&*message)) {
    handle_error(*error, now);
  } else if (std::holds_alternative<signal::going_away_message>(*message)) {
    outputs_.emplace_back(signaling_disconnect{});
    closed("the server is going away", now);
  } else if (state_ == state::registered) {
    events_.emplace_back(std::move(*message));
  }
}

void signaling_client::handle_error(const signal::error_message& error, time_point now) {
  if (state_ == state::registered) {
    events_.emplace_back(signal::server_message{error});
    return;
  }
  // The name is held for its owner after an unclean end; we are the owner where a resume secret
  // was lost to a restart of the server, or where the old connection is not seen as dead yet.
  const bool passing =
      was_registered_ && (error.code == "id-taken" || error.code == "rate-limited" ||
                          error.code == "internal" || error.code == "going-away");
  if (passing) {
    outputs_.emplace_back(signaling_disconnect{});
    closed(error.message, now);
    return;
  }
  give_up({exit_status::signaling, error.code,
           "the signaling server refused to register '" + config_.peer_id + "': " + error.message});
}

void signaling_client::closed(const std::string& reason, time_point now) {
  if (state_ == state::stopped || state_ == state::waiting) return;
  if (!was_registered_) {
    give_up({exit_status::signaling, "signaling-unreachable",
             "can't register at the signaling server: " + reason});
    return;
  }
  state_ = state::waiting;
  const auto steps = std::min(attempts_++, 10U);
  const auto full = std::min(config_.max_backoff, config_.first_backoff * (1U << steps));
  const auto delay = full / 2 + duration(static_cast<duration::rep>(random_below(
                                    random_, static_cast<std::uint64_t>(full.count() / 2) + 1)));
  deadline_ = now + delay;
  events_.emplace_back(signaling_lost{reason, delay});
}

void signaling_client::handle_timeout(time_point now) {
  if (!deadline_ || now < *deadline_) return;
  deadline_.reset();
  if (state_ == state::waiting) {
    connect(now);
    return;
  }
  outputs_.emplace_back(signaling_disconnect{});
  closed(state_ == state::connecting ? "no connection within 10 s" : "no answer within 10 s", now);
}

void signaling_client::send(const signal::client_message& message) {
  if (state_ == state::stopped) return;
  auto text = signal::to_json(message);
  if (state_ == state::registered) {
    outputs_.emplace_back(signaling_send{std::move(text)});
  } else if (waiting_.size() < config_.max_queue) {
    waiting_.push_back(std::move(text));
  }
}

void signaling_client::refresh(time_point now) {
  // No farewell on the old connection: the name is then held for who shows the resume secret.
  if (state_ == state::registered) connect(now);
}

void signaling_client::stop() {
  state_ = state::stopped;
  deadline_.reset();
}

void signaling_client::leave() {
  if (state_ == state::stopped) return;
  stop();
  outputs_.emplace_back(signaling_disconnect{});
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
