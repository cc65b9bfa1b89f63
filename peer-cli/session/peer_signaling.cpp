// The part of the peer that talks to the other one through the signaling server.

#include <utility>

#include "peer-cli/session/candidate_text.hpp"
#include "peer-cli/session/peer.hpp"

namespace nat::session {
namespace {

// A client that knows nothing of sessions leaves it out, and gets none back.
std::optional<std::string> session_of(const link& of) {
  return of.session().empty() ? std::nullopt : std::optional(of.session());
}

}  // namespace

void peer::signaling_opened(signaling_id id, const signaling_token& token, time_point now) {
  signaling_.opened(id, token, now);
}

void peer::signaling_received(signaling_id id, std::string_view text, time_point now) {
  // What both ends know of each other may be enough for them; it is not to be lost to a refusal.
  signaling_.persist(link_ && link_->has_remote());
  signaling_.received(id, text, now);
  flush_signaling(now);
}

void peer::signaling_closed(signaling_id id, const std::string& reason, time_point now) {
  signaling_.closed(id, reason, now);
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
    handle_ready(*ready, now);
  } else if (auto* const message = std::get_if<signal::server_message>(&event)) {
    handle(*message, now);
  } else if (auto* const lost = std::get_if<signaling_lost>(&event)) {
    events_.emplace_back(std::move(*lost));
  } else if (auto* const kept = std::get_if<signaling_not_refreshed>(&event)) {
    events_.emplace_back(std::move(*kept));
  } else {
    events_.emplace_back(std::move(std::get<failure>(event)));
  }
}

void peer::handle_ready(signaling_ready& ready, time_point now) {
  const auto& registration = ready.registration;
  registered told{registration.peer_id, {}, ready.again};
  std::vector<given_server> announced;
  for (const auto& server : registration.ice_servers) {
    for (const auto& url : server.urls) {
      announced.push_back({url, server.username, server.credential});
      told.ice_servers.push_back(url);
    }
  }
  if (registration.ttl > 0) {
    // Up to a twentieth earlier by chance: peers that came together don't all come back together.
    const duration ttl = std::chrono::seconds(registration.ttl);
    const auto spread = static_cast<std::uint64_t>((ttl / 20).count());
    refresh_at_ =
        now + ttl * 4 / 5 - duration(static_cast<duration::rep>(random_below(random_, spread + 1)));
  }
  events_.emplace_back(std::move(told));
  if (!config_.target && !config_.relays_at_once && !link_) connect_deadline_.reset();
  if (config_.servers.empty()) {
    learn_servers(announced, now);
    end_of_servers(now);
  }
  if (ready.after_loss) repeat_description();
  if (config_.target && !std::exchange(offered_, true)) make_offer(now);
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
  send_description();
}

void peer::send_description() {
  const auto text = sdp::to_string(link_->description());
  if (config_.target) {
    signaling_.send(signal::offer_message{link_->remote_id(), text, session_of(*link_)});
  } else {
    signaling_.send(signal::answer_message{link_->remote_id(), text, session_of(*link_)});
  }
  described_ = true;
  if (gathered_) send_candidate(std::nullopt);
}

// What was said while the connection was breaking may not have arrived, here or there. Whoever gets
// an offer or an answer again says in turn what it has said.
void peer::repeat_description() {
  if (!link_ || !described_ || link_->connect_time() || link_->closing()) return;
  repeated_ = true;
  send_description();
}

void peer::repeat_candidates() {
  for (const auto& found : found_) send_candidate(found.what);
  if (gathered_) send_candidate(std::nullopt);
}

// Ten a second at most: others' offers and answers must not spend our own allowance at the server.
bool peer::may_reply(std::optional<time_point>& last, time_point now) {
  if (last && now - *last < std::chrono::milliseconds{100}) return false;
  last = now;
  return true;
}

void peer::handle_offer(const signal::offer_message& offer, time_point now) {
  const auto refuse = [&](const std::string& reason) {
    if (!may_reply(last_refusal_, now)) return;
    signaling_.send(signal::bye_message{offer.peer, offer.session, reason});
  };
  if (offer.session && !config_.target && concerns_link(offer.peer, offer.session)) {
    const auto again = sdp::parse(offer.sdp);
    if (!again || !link_->repeat_remote(*again, now)) return refuse("busy");
    if (may_reply(last_repetition_, now)) send_description();
    return;
  }
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
  send_description();
}

void peer::handle_answer(const signal::answer_message& answer, time_point now) {
  if (!concerns_link(answer.peer, answer.session) || !config_.target) return;
  const auto description = sdp::parse(answer.sdp);
  if (link_->has_remote()) {
    const bool again = description && link_->repeat_remote(*description, now);
    if (again && !link_->connect_time() && may_reply(last_repetition_, now)) repeat_candidates();
    return;
  }
  const auto wrong = description ? link_->set_remote(*description, now)
                                 : std::optional("can't be read: " + description.error().message);
  if (wrong) {
    drop_link(failure{exit_status::peer_absent, "bad-answer",
                      "the answer of '" + answer.peer + "' " + *wrong},
              now);
  } else if (std::exchange(unheard_, false)) {
    repeat_candidates();
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
  // To one that does not know of repetitions, a second offer is someone else's.
  if (reason == "busy" && repeated_ && link_->has_remote()) return;
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
  // Whoever is away for a moment speaks again as soon as it is back.
  const bool away = error.code == "peer-not-found" || error.code == "cluster-unavailable";
  if (error.request == "candidate") unheard_ = unheard_ || away;
  if (error.request && error.request != "offer" && error.request != "answer") return;
  if (repeated_ && (away || link_->has_remote())) {
    if (!link_->has_remote()) repeat_at_ = now + std::chrono::seconds{1};
  } else if (error.code == "peer-not-found") {
    drop_link(failure{exit_status::peer_absent, error.code,
                      "'" + link_->remote_id() +
                          "' is not registered there; start `peer-cli listen --id " +
                          link_->remote_id() + "` on the other machine first"},
              now);
  } else if (error.request) {
    const bool busy = error.code == "peer-busy";
    drop_link(failure{busy ? exit_status::peer_absent : exit_status::signaling, error.code,
                      "the signaling server refused: " + error.message},
              now);
  }
}

void peer::send_candidate(const std::optional<ice::candidate>& candidate) {
  signal::candidate_message message{link_->remote_id(), std::nullopt, session_of(*link_)};
  if (candidate) {
    message.candidate =
        signal::ice_candidate{sdp::to_string(to_sdp(*candidate, link_->local_ufrag())),
                              link_->description().mid, std::uint16_t{0}, link_->local_ufrag()};
  }
  signaling_.send(message);
}

}  // namespace nat::session
