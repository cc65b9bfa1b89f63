// `stun`: this host's public address as one server sees it.

#include <optional>
#include <string>
#include <vector>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/commands/surroundings.hpp"
#include "peer-cli/io/runtime.hpp"
#include "peer-cli/io/stun_probe.hpp"

namespace nat::commands {
namespace {

using session::exit_status;

// Any of them will do: a TURN server answers Binding requests too.
std::optional<std::string> choose_url(const std::vector<std::string>& urls) {
  for (const auto* scheme : {"stun:", "stuns:", "turn:", "turns:"}) {
    for (const auto& url : urls) {
      if (url.starts_with(scheme)) return url;
    }
  }
  return std::nullopt;
}

int give_up(reporter& says, const session::failure& why) {
  says.error(why);
  return static_cast<int>(why.status);
}

}  // namespace

int run_stun(const options& o) {
  reporter says(o, false);
  auto url = o.url;
  if (url.empty() && !o.ice_servers.empty()) url = o.ice_servers.front().url;
  if (url.empty()) {
    peer_io::runtime world(runtime_options_of(o), peer_config_of(o));
    surroundings asked({.servers = true, .routers = false, .peer = false}, says);
    if (world.run(asked) != exit_status::done) return give_up(says, asked.why);
    const auto chosen = choose_url(asked.urls);
    if (!chosen) {
      return give_up(says,
                     {exit_status::signaling, "no-stun-server",
                      o.server + " announces no STUN server; name one: peer-cli stun stun:HOST"});
    }
    url = *chosen;
  }
  const auto parsed = session::parse_ice_url(url);
  if (!parsed)
    return give_up(says,
                   {exit_status::signaling, "bad-ice-server", "'" + url + "': " + parsed.error()});
  const auto timeout =
      std::chrono::duration_cast<duration>(std::chrono::duration<double>(o.timeout_seconds));
  const auto result = peer_io::probe_stun(runtime_options_of(o), *parsed, timeout);
  if (!result) return give_up(says, result.error());
  says.stun(url, result->answer.mapped, result->over, result->answer.rtt, result->answer.software);
  return static_cast<int>(says.status_after(exit_status::done));
}

}  // namespace nat::commands
