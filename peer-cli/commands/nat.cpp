// `nat`: how this host's NAT behaves, what that means, and why.

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "peer-cli/commands/commands.hpp"
#include "peer-cli/commands/nat_report.hpp"
#include "peer-cli/commands/nat_servers.hpp"
#include "peer-cli/commands/reporter.hpp"
#include "peer-cli/commands/surroundings.hpp"
#include "stun/behavior/forecast.hpp"

namespace nat::commands {
namespace {

using session::exit_status;
using session::failure;

int give_up(reporter& says, const failure& why) {
  says.error(why);
  return static_cast<int>(why.status);
}

struct known {
  std::vector<session::ice_url> servers;
  std::vector<portmap::answered> routers;
  std::vector<other_nat> others;  // what the peer says of itself
};

std::expected<std::vector<other_nat>, failure> read_answer(const std::string& peer,
                                                           const std::string& answer) {
  auto read = read_nat_events(answer);
  if (!read) {
    return std::unexpected(failure{
        exit_status::peer_absent, "bad-nat-answer",
        "'" + peer + "' sent an answer that " + read.error() + "; does it run `peer-cli listen`?"});
  }
  for (auto& one : *read) one.peer = peer;
  return *std::move(read);
}

// Servers of the command line, else those that the signaling server announces; what the routers
// say; and what the peer does.
std::expected<known, failure> look_around(const options& o, reporter& says) {
  std::vector<std::string> urls;
  if (!o.url.empty()) urls.push_back(o.url);
  for (const auto& given : o.ice_servers) urls.push_back(given.url);
  auto config = peer_config_of(o);
  config.use_signaling = urls.empty() || config.target;
  config.confirms = config.target.has_value();
  if (!config.target) config.servers.clear();
  surroundings asked(
      {.servers = urls.empty(), .routers = config.port_mapping, .peer = config.target.has_value()},
      says);
  {
    peer_io::runtime world(runtime_options_of(o), std::move(config));
    if (world.run(asked) != exit_status::done) return std::unexpected(asked.why);
  }
  known out{nat_servers(urls.empty() ? asked.urls : urls), std::move(asked.routers), {}};
  if (!o.target.empty()) {
    auto others = read_answer(o.target, asked.answer());
    if (!others) return std::unexpected(others.error());
    out.others = std::move(*others);
  }
  if (!out.servers.empty()) return out;
  return std::unexpected(
      failure{exit_status::signaling, "no-stun-server",
              "no STUN server to ask over UDP; name one: peer-cli nat stun:HOST"});
}

// The routers agree, or the first one that tells its address is believed.
std::optional<address> external_of(const std::vector<portmap::answered>& routers) {
  for (const auto& r : routers) {
    if (r.external && r.external->v4) return r.external;
  }
  return std::nullopt;
}

// IPv4's where it has one: what most peers meet.
exit_status status_of(const std::vector<peer_io::behavior_result>& all) {
  for (const auto& r : all) {
    if (!r.verdict.udp && !r.verdict.udp_blocked) continue;
    return behavior::is_hostile(profile_of(r.verdict)) ? exit_status::unexpected
                                                       : exit_status::done;
  }
  return exit_status::signaling;
}

void show_progress(reporter& says, const behavior::lifetime_bounds& bounds) {
  const auto seconds = [](duration d) {
    return std::to_string(std::chrono::round<std::chrono::seconds>(d).count()) + " s";
  };
  says.say("lifetime: " +
           (bounds.alive_after > duration{} ? "alive after " + seconds(bounds.alive_after)
                                            : std::string("waiting")) +
           (bounds.gone_after ? ", gone after " + seconds(*bounds.gone_after) : ""));
}

}  // namespace

int run_nat(const options& o) {
  reporter says(o, false);
  std::vector<other_nat> others;
  if (!o.with.empty()) {
    auto read = read_nat_file(o.with);
    if (!read) return give_up(says, {exit_status::usage, "bad-nat-file", read.error()});
    others = std::move(*read);
  }
  const auto around = look_around(o, says);
  if (!around) return give_up(says, around.error());
  others.insert(others.end(), around->others.begin(), around->others.end());
  peer_io::behavior_options what{.servers = around->servers,
                                 .lifetime = o.lifetime,
                                 .router_external = external_of(around->routers),
                                 .timeout = o.timeout()};
  if (::isatty(STDERR_FILENO) == 1) {
    what.on_progress = [&](const auto& bounds) { show_progress(says, bounds); };
  }
  const auto found = peer_io::probe_behavior(runtime_options_of(o), what);
  if (!found) return give_up(says, found.error());
  for (const auto& r : *found) {
    says.emit("nat", nat_event(r, around->routers, others));
    for (const auto& line : nat_lines(r, around->routers, others, o.verbosity > 0))
      says.result(line);
  }
  const auto status = status_of(*found);
  if (status == exit_status::signaling) {
    return give_up(says, {status, "stun-unreachable",
                          "no STUN server answers, neither over UDP nor over TCP; is " +
                              around->servers.front().host + " up?"});
  }
  return static_cast<int>(says.status_after(status));
}

}  // namespace nat::commands
