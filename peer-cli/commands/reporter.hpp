#pragma once

// Everything that a command says: JSON lines for scripts, short lines for people. Payload is not
// its business. A failed write to the JSON descriptor is reported once by ok().

#include <memory>
#include <optional>
#include <string>

#include "peer-cli/commands/options.hpp"
#include "peer-cli/session/peer.hpp"

namespace nat::commands {

class reporter {
 public:
  // `payload`: standard output belongs to the pipe, so JSON goes to standard error.
  reporter(const options&, bool payload);
  ~reporter();

  void event(const session::peer_event&);  // registered, candidate, connected, secured, path …
  void error(const session::failure&);     // one line, or {"event":"error"}
  void closed(const session::link&, std::uint64_t sent, std::uint64_t received);
  // The result of `check`: outcome is direct, relay or failed.
  void report(const std::string& outcome, const session::link*, std::optional<duration> rtt,
              const std::optional<session::failure>& why);
  void stun(const std::string& server, const endpoint& mapped, const endpoint& local, duration rtt,
            const std::string& software);
  void gather_table();  // of the candidates seen so far

  void say(const std::string& line);       // to people, on standard error
  void say_more(const std::string& line);  // the same with -v
  [[nodiscard]] bool ok() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::commands
