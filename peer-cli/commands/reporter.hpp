#pragma once

// Everything that a command says: JSON lines for scripts, short lines for people. Payload is not
// its business. A result that could not be written is told by status_after().

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

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
  void message(const session::link&, std::size_t size);  // a check's, there and back
  void closed(const session::link&, std::uint64_t sent, std::uint64_t received);
  // What is known of the NAT by now: `closed`, `report` and an error that ends an attempt tell it.
  void nat(const std::vector<ice::mapping_observation>&);
  // The result of `check`: outcome is direct, relay or failed.
  void report(const std::string& outcome, const session::link*, std::optional<duration> rtt,
              const std::optional<session::failure>& why);
  void stun(const std::string& server, const endpoint& mapped, const path& over, duration rtt,
            const std::string& software);
  void gather_table();  // of the candidates seen so far

  // What one command alone tells: an event of its own, and a line of its result.
  void emit(const char* event, nlohmann::ordered_json fields);
  void result(const std::string& line);

  void say(const std::string& line);       // to people, on standard error
  void say_more(const std::string& line);  // the same with -v
  // `status`, or internal, said in one line, where a result could not be written.
  [[nodiscard]] session::exit_status status_after(session::exit_status status);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace nat::commands
