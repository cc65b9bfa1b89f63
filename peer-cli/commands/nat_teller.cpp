#include "peer-cli/commands/nat_teller.hpp"

#include "peer-cli/commands/nat_report.hpp"
#include "peer-cli/commands/nat_servers.hpp"

namespace nat::commands {
namespace {

std::vector<std::string> urls_of(const std::vector<session::given_server>& given) {
  std::vector<std::string> out;
  for (const auto& one : given) out.push_back(one.url);
  return out;
}

}  // namespace

nat_teller::nat_teller(const options& o, peer_io::runtime& world)
    : servers_(nat_servers(urls_of(o.ice_servers))),
      given_(!o.ice_servers.empty()),
      bind_(o.bind),
      world_(world) {}

void nat_teller::learn(const session::registered& told) {
  if (!given_) servers_ = nat_servers(told.ice_servers);
}

bool nat_teller::handle_message(const datachannel::message& message, session::link& over,
                                time_point now) {
  return answerer_.handle_message(message, over, now);
}

void nat_teller::advance(session::link& over, time_point now) {
  if (!answerer_.asked() || probe_) return;
  if (!began_ || now - *began_ >= cool_down) measure(now);
  if (!probe_) answerer_.answer(found_, over, now);
}

void nat_teller::measure(time_point now) {
  began_ = now;
  found_ = nat_answer({{}});  // nothing is known
  if (servers_.empty()) return;
  probe_.emplace(world_.executor(), bind_,
                 peer_io::behavior_options{.servers = servers_, .timeout = patience},
                 [this](const peer_io::behavior_probe::outcome& seen) {
                   if (seen && !seen->empty()) found_ = nat_answer(*seen);
                   probe_.reset();
                   world_.pump();
                 });
}

}  // namespace nat::commands
