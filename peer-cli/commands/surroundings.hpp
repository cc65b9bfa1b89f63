#pragma once

// What is to be known before anything is measured: which STUN and TURN servers the signaling server
// announces, what the routers at hand say of themselves, and what a listening peer says of its NAT.

#include <optional>
#include <string>
#include <vector>

#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/io/runtime.hpp"
#include "peer-cli/session/failure.hpp"
#include "peer-cli/session/nat_question.hpp"

namespace nat::commands {

class surroundings final : public peer_io::command {
 public:
  struct wanted {
    bool servers, routers;  // for routers it waits a second at most
    bool peer;              // the peer's target
  };
  surroundings(wanted wants, reporter& says) : wants_(wants), says_(says) {}

  void handle(session::peer_event&, session::peer&, time_point now) override;
  void advance(session::peer&, time_point now) override;
  [[nodiscard]] std::optional<time_point> next_timeout() const override;
  void interrupted(session::peer&, time_point now) override;

  std::vector<std::string> urls;
  std::vector<portmap::answered> routers;
  session::failure why;
  // Where a peer was asked, and all went well.
  [[nodiscard]] const std::string& answer() const { return *question_->answer(); }

 private:
  void hear(const session::peer_event&, session::peer&, time_point now);
  void fail(session::failure);

  wanted wants_;
  reporter& says_;
  std::optional<session::nat_asker> question_;
};

}  // namespace nat::commands
