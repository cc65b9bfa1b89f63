#include "peer-cli/commands/link_report.hpp"

#include <utility>

namespace nat::commands {

const char* state_name(ice::pair_state state) {
  switch (state) {
    case ice::pair_state::frozen:
      return "frozen";
    case ice::pair_state::waiting:
      return "waiting";
    case ice::pair_state::in_progress:
      return "in-progress";
    case ice::pair_state::succeeded:
      return "succeeded";
    case ice::pair_state::failed:
      break;
  }
  return "failed";
}

json pairs_of(const session::link& link) {
  auto list = json::array();
  for (const auto& pair : link.agent().pairs()) {
    json entry{{"local", to_json(pair.local)},
               {"remote", to_json(pair.remote)},
               {"state", state_name(pair.state)},
               {"nominated", pair.nominated},
               {"selected", pair.selected},
               {"checks_sent", pair.checks_sent},
               {"checks_received", pair.checks_received},
               {"responses_received", pair.responses_received}};
    entry["rtt_ms"] = pair.rtt ? json(json_ms(*pair.rtt)) : json(nullptr);
    list.push_back(std::move(entry));
  }
  return list;
}

json timeline_of(const session::link& link) {
  auto list = json::array();
  for (const auto& entry : link.timeline())
    list.push_back({{"ms", json_ms(entry.at)}, {"what", entry.what}});
  return list;
}

json nat_of(const session::nat_view& view) {
  using enum ice::mapping_kind;
  const bool same_everywhere = view.mapping == independent || view.mapping == none;
  json out{{"family", view.v4 ? "ipv4" : "ipv6"},
           {"translated", *view.translated},
           {"mapping", same_everywhere ? "endpoint-independent" : "unknown"},
           {"mapping_depends", view.mapping == dependent}};
  auto& external = out["public"] = json::array();
  for (const auto& ip : view.external) external.push_back(to_string(ip));
  auto& tests = out["tests"] = json::array();
  for (const auto& o : view.seen) {
    tests.push_back({{"local", to_json(o.base, transport::udp)},
                     {"to", to_json(o.server, transport::udp)},
                     {"mapped", to_json(o.mapped, transport::udp)}});
  }
  return out;
}

std::string nat_line(const session::nat_view& view) {
  using enum ice::mapping_kind;
  std::string external;
  for (const auto& ip : view.external) external += (external.empty() ? "" : ", ") + to_string(ip);
  return std::string(view.v4 ? "IPv4" : "IPv6") + ": " + external + ", " +
         (!*view.translated           ? "no NAT"
          : view.mapping == dependent ? "a NAT whose mapping depends on the destination (symmetric)"
          : view.mapping == independent
              ? "a NAT with endpoint-independent mapping"
              : "a NAT; how it maps takes a second STUN server, or peer-cli nat");
}

json bytes_of(const session::path_bytes& traffic) {
  return {{"direct", {{"sent", traffic.direct_sent}, {"received", traffic.direct_received}}},
          {"relay", {{"sent", traffic.relay_sent}, {"received", traffic.relay_received}}}};
}

}  // namespace nat::commands
