#pragma once

// What is to be known before anything is measured: which STUN and TURN servers the signaling server
// announces, and what the routers at hand say of themselves.

#include <string>
#include <vector>

#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/failure.hpp"

namespace nat::commands {

class surroundings final : public peer_io::command {
 public:
  // Whether to wait for the announcement, and for routers (at most a second).
  surroundings(bool wants_servers, bool wants_routers)
      : wants_servers_(wants_servers), wants_routers_(wants_routers) {}

  void handle(session::peer_event& event, session::peer&, time_point) override {
    if (const auto* const told = std::get_if<session::registered>(&event)) {
      urls = told->ice_servers;
      wants_servers_ = false;
    } else if (const auto* const router = std::get_if<portmap::answered>(&event)) {
      routers.push_back(*router);
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      why = *failure;
      finish(failure->status);
    }
  }
  void advance(session::peer& peer, time_point now) override {
    if (wants_servers_ || (wants_routers_ && !peer.port_mapping_settled(now))) return;
    finish(session::exit_status::done);
  }
  void interrupted(session::peer&, time_point) override {
    why = {session::exit_status::interrupted, "interrupted", "interrupted"};
    finish(session::exit_status::interrupted);
  }

  std::vector<std::string> urls;
  std::vector<portmap::answered> routers;
  session::failure why;

 private:
  bool wants_servers_, wants_routers_;
};

}  // namespace nat::commands
