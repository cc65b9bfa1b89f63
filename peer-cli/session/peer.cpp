#include "peer-cli/session/peer.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace nat::session {
namespace {

// "30", "0.5": as a person would have typed it.
std::string seconds_text(duration d) {
  auto text = std::to_string(milliseconds(d) / 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

peer::peer(peer_config config, const dtls::certificate& own, random_source& random, time_point now)
    : config_(std::move(config)),
      own_(own),
      random_(random),
      started_(now),
      signaling_(signaling_config{config_.id}, random, now),
      mapper_(portmap::mapper_config{}, random) {
  start_gathering(now);
  connect_deadline_ = now + config_.timeout;
  learn_servers(config_.servers, now);
  if (!config_.use_signaling) {
    signaling_.stop();
    return;
  }
  flush_signaling(now);
}

void peer::start_link(bool offerer, const std::string& remote, std::string session,
                      time_point now) {
  link_config config;
  config.offerer = offerer;
  config.local_id = config_.id;
  config.remote_id = remote;
  config.session = std::move(session);
  config.policy = config_.policy;
  config.secret = config_.secret;
  config.agent = config_.agent;
  config.agent.signaling_delay = signaling_.round_trip();
  // Whoever ran out of candidates hears so before the timeout does.
  config.agent.patience = std::min<duration>(config.agent.patience, config_.timeout * 3 / 4);
  link_ = std::make_unique<session::link>(std::move(config), own_, random_, now);
  ended_.reset();
  described_ = outcome_told_ = unheard_ = repeated_ = false;
  link_started_ = now;
  if (!config_.target) connect_deadline_ = now + config_.timeout;
  for (const auto& found : found_) link_->add_local(found.what, now);
  ask_relays(now);
  flush_gatherer(now);
  if (gathered_) link_->end_of_local(now);
  if (offerer) events_.emplace_back(link_started{remote, true});
}

void peer::drop_link(std::optional<failure> why, time_point now) {
  if (!link_) return;
  if (why) {
    signaling_.send(signal::bye_message{
        link_->remote_id(),
        link_->session().empty() ? std::nullopt : std::optional(link_->session()), why->code});
    const bool tried = why->status != exit_status::interrupted;
    if (tried && !std::exchange(outcome_told_, true)) {
      signaling_.send(signal::outcome_message{"failed", milliseconds(now - link_started_)});
    }
    if (why->status == exit_status::wrong_peer && !config_.target) {
      guarded_until_ = now + std::chrono::seconds{1U << std::min(strikes_++, 6U)};
    }
    link_->shutdown(now);
  }
  while (auto out = link_->poll_transmit(now)) {
    if (gatherer_->is_relayed(out->via.local)) {
      gatherer_->send(*out, now);
    } else {
      last_words_.push_back(std::move(*out));
    }
  }
  ended_ = std::move(link_);
  connect_deadline_.reset();
  repeat_at_.reset();
  described_ = false;
  events_.emplace_back(link_ended{std::move(why)});
  retire_gatherer(now);
  if (stopping_) {
    mapper_.release(now);
    signaling_.leave();
  }
  flush_signaling(now);
}

// Allocations go back; whoever comes next finds fresh candidates.
void peer::retire_gatherer(time_point now) {
  if (!gatherer_->mappings().empty()) seen_before_ = gatherer_->mappings();
  if (retiring_.size() >= max_retired) retiring_.erase(retiring_.begin());
  gatherer_->release(now);
  retiring_.push_back({std::move(gatherer_), epoch_, now + std::chrono::seconds{2}});
  start_gathering(now);
}

void peer::stop(time_point now) {
  if (std::exchange(stopping_, true)) return;
  connect_deadline_.reset();
  refresh_at_.reset();
  repeat_at_.reset();
  if (!link_) {
    retire_gatherer(now);
    mapper_.release(now);
    signaling_.leave();
    flush_signaling(now);
  } else if (!link_->closing()) {  // else it ends in order, and within its own time
    drop_link(failure{exit_status::interrupted, "interrupted", "ended here"}, now);
  }
}

bool peer::stopped() const {
  return stopping_ && !link_ && retiring_.empty() && mapper_.released();
}

void peer::handle_datagram(const path& from, byte_view datagram, time_point now) {
  if (mapper_.handle_datagram(from, datagram, now)) return;
  const auto taken = gatherer_->handle_datagram(from, datagram, now);
  if (taken.ours) {
    if (taken.from && link_) link_->handle_datagram(*taken.from, taken.data, now);
    return;
  }
  for (auto& old : retiring_) {
    if (old.gatherer->handle_datagram(from, datagram, now).ours) return;
  }
  if (link_) link_->handle_datagram(from, datagram, now);
}

void peer::handle_send_failure(const path& where, time_point now) {
  mapper_.handle_send_failure(where, now);
  gatherer_->handle_send_failure(where, now);
  if (link_) link_->handle_send_failure(where, now);
}

void peer::name_resolved(const std::string& name, const std::optional<address>& where,
                         time_point now) {
  if (link_) link_->resolved(name, where, now);
}

void peer::handle_timeout(time_point now) {
  signaling_.handle_timeout(now);
  flush_signaling(now);
  mapper_.handle_timeout(now);
  gatherer_->handle_timeout(now);
  for (auto& old : retiring_) old.gatherer->handle_timeout(now);
  drop_released(now);
  if (link_) link_->handle_timeout(now);
  if (connect_deadline_ && now >= *connect_deadline_) time_out(now);
  if (refresh_at_ && now >= *refresh_at_) {
    refresh_at_ = now + std::chrono::minutes{1};  // should it fail
    signaling_.refresh(now);
    flush_signaling(now);
  }
  if (repeat_at_ && now >= *repeat_at_) {
    repeat_at_.reset();
    if (signaling_.registered()) repeat_description();  // else at its return
    flush_signaling(now);
  }
}

void peer::time_out(time_point now) {
  connect_deadline_.reset();
  const auto seconds = seconds_text(config_.timeout);
  if (!link_ && config_.relays_at_once && (!config_.use_signaling || signaling_.registered())) {
    events_.emplace_back(ice::gathered{});  // what there is by now
  } else if (!link_) {
    events_.emplace_back(
        failure{exit_status::signaling, "signaling-timeout",
                "not registered at the signaling server within " + seconds + " s" +
                    (signaling_.trouble().empty() ? "" : ": " + signaling_.trouble())});
  } else if (!link_->has_remote() && config_.use_signaling && !signaling_.registered()) {
    drop_link(failure{exit_status::signaling, "signaling-timeout",
                      "the signaling server was lost before '" + link_->remote_id() +
                          "' answered, and did not come back within " + seconds +
                          " s: " + signaling_.trouble()},
              now);
  } else if (!link_->has_remote()) {
    drop_link(failure{exit_status::peer_absent, "no-answer",
                      "'" + link_->remote_id() + "' did not answer within " + seconds + " s"},
              now);
  } else if (!link_->connect_time()) {
    drop_link(failure{exit_status::no_path, "no-path",
                      "no path to '" + link_->remote_id() + "' within " + seconds +
                          " s; a TURN server (--ice-server turn:…) gets through most networks"},
              now);
  } else if (link_->proven()) {
    drop_link(failure{exit_status::peer_absent, "no-answer",
                      "'" + link_->remote_id() + "' is connected and does not answer within " +
                          seconds + " s; does it run `peer-cli listen`?"},
              now);
  } else {
    drop_link(failure{exit_status::no_path, "no-channel",
                      "a path to '" + link_->remote_id() +
                          "' was found, but no encrypted channel within " + seconds + " s"},
              now);
  }
}

void peer::flush_link(time_point now) {
  while (link_) {
    auto event = link_->poll_event(now);
    if (!event) return;
    handle(*event, now);
  }
}

void peer::handle(link_event& event, time_point now) {
  if (auto* const found = std::get_if<path_found>(&event)) {
    if (gatherer_->is_relayed(found->path.via.local)) gatherer_->bind_channel(found->path.via, now);
    if (!std::exchange(outcome_told_, true)) {
      signaling_.send(signal::outcome_message{is_relayed(found->path) ? "relay" : "direct",
                                              milliseconds(found->took)});
    }
    events_.emplace_back(*found);
  } else if (const auto* const known = std::get_if<remote_known>(&event)) {
    if (known->what.proto == transport::udp) gatherer_->permit(known->what.address.ip, now);
    events_.emplace_back(remote_candidate{known->what});
  } else if (auto* const name = std::get_if<name_wanted>(&event)) {
    requests_.emplace_back(resolve_name{std::move(name->name)});
  } else if (std::holds_alternative<link_ready>(event)) {
    if (config_.target && !config_.confirms) connect_deadline_.reset();
    strikes_ = 0;
    events_.emplace_back(link_ready{});
  } else if (const auto* const opened = std::get_if<datachannel::channel_opened>(&event)) {
    if (opened->by_peer && !config_.target) connect_deadline_.reset();
    events_.emplace_back(*opened);
  } else if (std::holds_alternative<peer_left>(event)) {
    drop_link(std::nullopt, now);
  } else if (auto* const why = std::get_if<failure>(&event)) {
    drop_link(std::move(*why), now);
  } else {
    std::visit(
        [&](auto& e) {
          if constexpr (std::is_constructible_v<peer_event, decltype(std::move(e))>) {
            events_.emplace_back(std::move(e));
          }
        },
        event);
  }
}

std::optional<transmit> peer::poll_transmit(time_point now) {
  if (!last_words_.empty()) {
    auto out = std::move(last_words_.front());
    last_words_.pop_front();
    return out;
  }
  for (auto& old : retiring_) {
    if (auto out = old.gatherer->poll_transmit()) return out;
  }
  if (auto out = gatherer_->poll_transmit()) return out;
  if (auto out = mapper_.poll_transmit()) return out;
  while (auto out = link_ ? link_->poll_transmit(now) : std::nullopt) {
    if (!gatherer_->is_relayed(out->via.local)) return out;
    gatherer_->send(*out, now);
    if (auto wrapped = gatherer_->poll_transmit()) return wrapped;
  }
  return std::nullopt;
}

std::optional<request> peer::poll_request(time_point now) {
  flush_mapper(now);
  flush_gatherer(now);
  flush_link(now);
  flush_signaling(now);
  if (requests_.empty()) return std::nullopt;
  auto wanted = std::move(requests_.front());
  requests_.pop_front();
  return wanted;
}

std::optional<peer_event> peer::poll_event(time_point now) {
  flush_mapper(now);
  flush_gatherer(now);
  flush_link(now);
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<time_point> peer::next_timeout() const {
  auto next = earlier(signaling_.next_timeout(), gatherer_->next_timeout());
  next = earlier(next, mapper_.next_timeout());
  for (const auto& old : retiring_) {
    next = earlier(next, earlier(old.gatherer->next_timeout(), old.deadline));
  }
  if (link_) next = earlier(next, link_->next_timeout());
  return earlier(next, earlier(connect_deadline_, earlier(refresh_at_, repeat_at_)));
}

}  // namespace nat::session
