#pragma once

// Which STUN and TURN servers the signaling server announces.

#include <string>
#include <vector>

#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/failure.hpp"

namespace nat::commands {

// Registers to learn which servers the signaling server announces, and no more.
class announced_servers final : public peer_io::command {
 public:
  void handle(session::peer_event& event, session::peer&, time_point) override {
    if (const auto* const told = std::get_if<session::registered>(&event)) {
      urls = told->ice_servers;
      finish(session::exit_status::done);
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      why = *failure;
      finish(failure->status);
    }
  }
  void interrupted(session::peer&, time_point) override {
    why = {session::exit_status::interrupted, "interrupted", "interrupted"};
    finish(session::exit_status::interrupted);
  }

  std::vector<std::string> urls;
  session::failure why;
};

}  // namespace nat::commands
