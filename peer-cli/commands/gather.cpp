// `gather`: this host's candidates, as a table.

#include <utility>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/io/runtime.hpp"

namespace nat::commands {
namespace {

using session::exit_status;

class gather_command final : public peer_io::command {
 public:
  explicit gather_command(reporter& says) : says_(says) {}

  void handle(session::peer_event& event, session::peer&, time_point) override {
    if (status()) return;
    says_.event(event);
    if (std::holds_alternative<ice::gathered>(event)) {
      gathered_ = true;
    } else if (const auto* const failure = std::get_if<session::failure>(&event)) {
      says_.error(*failure);
      finish(failure->status);
    }
  }

  // Routers have no part in `gathered`, since no offer waits for them; the table does.
  void advance(session::peer& peer, time_point now) override {
    if (status() || !gathered_ || !peer.port_mapping_settled(now)) return;
    says_.gather_table();
    finish(says_.status_after(exit_status::done));
  }

  void interrupted(session::peer&, time_point) override {
    says_.gather_table();
    finish(exit_status::interrupted);
  }

 private:
  reporter& says_;
  bool gathered_ = false;
};

}  // namespace

int run_gather(const options& o) {
  reporter says(o, false);
  auto config = peer_config_of(o);
  // Servers given by hand need nobody to announce them.
  config.use_signaling = o.ice_servers.empty();
  config.relays_at_once = true;
  peer_io::runtime world(runtime_options_of(o), std::move(config));
  gather_command command(says);
  return static_cast<int>(world.run(command));
}

}  // namespace nat::commands
