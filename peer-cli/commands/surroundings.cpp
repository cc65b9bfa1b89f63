#include "peer-cli/commands/surroundings.hpp"

#include <utility>

namespace nat::commands {

using session::exit_status;
using session::failure;

void surroundings::handle(session::peer_event& event, session::peer& peer, time_point now) {
  if (status()) return;
  if (const auto* const told = std::get_if<session::registered>(&event)) {
    urls = told->ice_servers;
    wants_.servers = false;
  } else if (const auto* const router = std::get_if<portmap::answered>(&event)) {
    routers.push_back(*router);
  } else if (const auto* const ended = std::get_if<failure>(&event)) {
    fail(*ended);
  } else if (std::holds_alternative<session::signaling_lost>(event) && !wants_.peer) {
    says_.event(event);
  }
  if (wants_.peer) hear(event, peer, now);
}

void surroundings::hear(const session::peer_event& event, session::peer& peer, time_point now) {
  if (question_ && question_->answer()) return;  // the rest is about leaving
  says_.event(event);
  auto* const link = peer.current();
  if (std::holds_alternative<session::link_ready>(event) && link) {
    question_.emplace(*link, now);
  } else if (const auto* const message = std::get_if<datachannel::message>(&event);
             message && question_ && link) {
    question_->handle_message(*message, *link);
  } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event);
             closed && question_ && link) {
    question_->handle_closed(closed->id, *link);
  } else if (const auto* const ended = std::get_if<session::link_ended>(&event)) {
    fail(ended->why.value_or(failure{exit_status::peer_absent, "peer-left",
                                     "the peer left before it had told its NAT"}));
  }
}

void surroundings::advance(session::peer& peer, time_point now) {
  auto* const link = peer.current();
  if (status()) return;
  if (question_ && link) {
    question_->advance(*link, now);
    if (question_->why()) return fail(*question_->why());
    if (question_->answer() && !link->closing()) {
      peer.confirm();
      link->shutdown(now);
    }
  }
  if (wants_.servers || (wants_.routers && !peer.port_mapping_settled(now))) return;
  if (wants_.peer && !(question_ && question_->answer())) return;
  finish(exit_status::done);
}

std::optional<time_point> surroundings::next_timeout() const {
  return question_ ? question_->next_timeout() : std::nullopt;
}

void surroundings::interrupted(session::peer&, time_point) {
  fail({exit_status::interrupted, "interrupted", "interrupted"});
}

void surroundings::fail(failure reason) {
  if (status()) return;
  why = std::move(reason);
  finish(why.status);
}

}  // namespace nat::commands
