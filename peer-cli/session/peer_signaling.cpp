// The part of the peer that talks to the other one through the signaling server.

#include <utility>

#include "peer-cli/session/candidate_text.hpp"
#include "peer-cli/session/peer.hpp"

namespace nat::session {

void peer::signaling_opened(time_point now) {
  signaling_.opened(now);
}

void peer::signaling_received(std::string_view text, time_point now) {
  signaling_.received(text, now);
  flush_signaling(now);
}

void peer::signaling_closed(const std::string& reason, time_point now) {
  signaling_.closed(reason, now);
  flush_signaling(now);
}

void peer::flush_signaling(time_point now) {
  while (auto event = signaling_.poll_event()) handle(*event, now);
  while (auto output = signaling_.poll_output()) {
    std::visit([&](auto& o) { requests_.emplace_back(std::move(o)); }, *output);
  }
}

void peer::handle(signaling_event& event, time_point now) {
  if (auto* const ready = std::get_if<signaling_ready>(&event)) {
    const auto& registration = ready->registration;
    registered told{registration.peer_id, {}, ready->resumed};
    std::vector<given_server> announced;
    for (const auto& server : registration.ice_servers) {
      for (const auto& url : server.urls) {
        announced.push_back({url, server.username, server.credential});
        told.ice_servers.push_back(url);
      }
    }
    if (registration.ttl > 0) refresh_at_ = now + std::chrono::seconds(registration.ttl) * 4 / 5;
    events_.emplace_back(std::move(told));
    if (!config_.target && !config_.relays_at_once) connect_deadline_.reset();
    if (config_.servers.empty()) {
      learn_servers(announced, now);
      end_of_servers(now);
    }
    if (config_.target && !std::exchange(offered_, true)) make_offer(now);
  } else if (auto* const message = std::get_if<signal::server_message>(&event)) {
    handle(*message, now);
  } else if (auto* const lost = std::get_if<signaling_lost>(&event)) {
    events_.emplace_back(std::move(*lost));
  } else {
    events_.emplace_back(std::move(std::get<failure>(event)));
  }
}

void peer::handle(signal::server_message& message, time_point now) {
  if (const auto* const offer = std::get_if<signal::offer_message>(&message)) {
    handle_offer(*offer, now);
  } else if (const auto* const answer = std::get_if<signal::answer_message>(&message)) {
    handle_answer(*answer, now);
  } else if (const auto* const candidate = std::get_if<signal::candidate_message>(&message)) {
    handle_candidate(*candidate, now);
  } else if (const auto* const bye = std::get_if<signal::bye_message>(&message)) {
    handle_bye(*bye, now);
  } else if (const auto* const error = std::get_if<signal::error_message>(&message)) {
    handle_error(*error, now);
  }
}

// A client that knows nothing of sessions leaves the field out.
bool peer::concerns_link(const std::string& from, const std::optional<std::string>& session) const {
  return link_ && link_->remote_id() == from && (!session || *session == link_->session());
}

void peer::make_offer(time_point now) {
  flush_gatherer(now);
  start_link(true, *config_.target, random_text(random_, 12), now);
  signaling_.send(signal::offer_message{link_->remote_id(), sdp::to_string(link_->description()),
                                        link_->session()});
  described_ = true;
  if (gathered_) send_candidate(std::nullopt);
}

void peer::handle_offer(const signal::offer_message& offer, time_point now) {
  const auto refuse = [&](const std::string& reason) {
    // Ten a second at most: strangers' offers must not spend our own allowance at the server.
    if (last_refusal_ && now - *last_refusal_ < std::chrono::milliseconds{100}) return;
    last_refusal_ = now;
    signaling_.send(signal::bye_message{offer.peer, offer.session, reason});
  };
  const bool guarded = guarded_until_ && now < *guarded_until_;
  if (link_ || config_.target || stopping_ || !accepting_ || guarded) return refuse("busy");
  const auto description = sdp::parse(offer.sdp);
  if (!description) return refuse("bad-offer");
  flush_gatherer(now);
  start_link(false, offer.peer, offer.session.value_or(std::string{}), now);
  if (const auto wrong = link_->set_remote(*description, now)) {
    link_.reset();
    connect_deadline_.reset();
    retire_gatherer(now);
    return refuse("bad-offer");
  }
  events_.emplace_back(link_started{offer.peer, false});
  signaling_.send(
      signal::answer_message{offer.peer, sdp::to_string(link_->description()), offer.session});
  described_ = true;
  if (gathered_) send_candidate(std::nullopt);
}

void peer::handle_answer(const signal::answer_message& answer, time_point now) {
  if (!concerns_link(answer.peer, answer.session) || !config_.target || link_->has_remote()) return;
  const auto description = sdp::parse(answer.sdp);
  const auto wrong = description ? link_->set_remote(*description, now)
                                 : std::optional("can't be read: " + description.error().message);
  if (wrong) {
    drop_link(failure{exit_status::peer_absent, "bad-answer",
                      "the answer of '" + answer.peer + "' " + *wrong},
              now);
  }
}

void peer::handle_candidate(const signal::candidate_message& message, time_point now) {
  if (!concerns_link(message.peer, message.session)) return;
  if (!message.candidate || message.candidate->candidate.empty()) {
    link_->end_of_remote(now);
    return;
  }
  auto candidate = sdp::parse_candidate(message.candidate->candidate);
  if (!candidate) return;
  if (!candidate->ufrag) candidate->ufrag = message.candidate->ufrag;
  link_->add_remote(*candidate, now);
}

void peer::handle_bye(const signal::bye_message& bye, time_point now) {
  // Who stands between may leave the session out; once data flows, that is not enough to end it.
  const bool anonymous = !bye.session && !(link_ && link_->session().empty());
  if (!concerns_link(bye.peer, bye.session) || (link_->secure_time() && anonymous)) return;
  const auto reason = bye.reason.value_or("no reason given");
  const auto name = "'" + bye.peer + "'";
  if (reason == "secret-mismatch" || reason == "fingerprint-mismatch") {
    drop_link(failure{exit_status::wrong_peer, reason,
                      name + " refuses us (" + reason + "); give both ends the same --secret-file"},
              now);
  } else if (!link_->secure_time()) {
    drop_link(failure{exit_status::peer_absent, reason == "busy" ? "peer-busy" : "peer-left",
                      reason == "busy" ? name + " is busy with another peer; try again later"
                                       : name + " ended the attempt (" + reason + ")"},
              now);
  } else {
    drop_link(failure{exit_status::path_lost, "peer-left", name + " left (" + reason + ")"}, now);
  }
}

void peer::handle_error(const signal::error_message& error, time_point now) {
  const bool ours = link_ && error.target == link_->remote_id();
  if (!ours || link_->connect_time()) return;  // once a path stands, signaling can't hurt it
  if (error.code == "peer-not-found") {
    drop_link(failure{exit_status::peer_absent, error.code,
                      "'" + link_->remote_id() +
                          "' is not registered there; start `peer-cli listen --id " +
                          link_->remote_id() + "` on the other machine first"},
              now);
  } else if (error.request == "offer" || error.request == "answer") {
    const bool busy = error.code == "peer-busy";
    drop_link(failure{busy ? exit_status::peer_absent : exit_status::signaling, error.code,
                      "the signaling server refused: " + error.message},
              now);
  }
}

void peer::send_candidate(const std::optional<ice::candidate>& candidate) {
  signal::candidate_message message{link_->remote_id(), std::nullopt, std::nullopt};
  if (!link_->session().empty()) message.session = link_->session();
  if (candidate) {
    message.candidate =
        signal::ice_candidate{sdp::to_string(to_sdp(*candidate, link_->local_ufrag())),
                              link_->description().mid, std::uint16_t{0}, link_->local_ufrag()};
  }
  signaling_.send(message);
}

}  // namespace nat::session
