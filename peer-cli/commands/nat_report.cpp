#include "peer-cli/commands/nat_report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "stun/behavior/forecast.hpp"
#include "stun/behavior/question.hpp"

namespace nat::commands {
namespace {

using behavior::exchange;
using behavior::port_choice;
using behavior::verdict;
using peer_io::behavior_result;

std::string text(std::string_view view) {
  return std::string(view);
}

double in_seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

std::string padded(std::string_view view, std::size_t width) {
  auto out = text(view);
  out.resize(std::max(width, out.size()), ' ');
  return out;
}

std::string short_seconds(duration d) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.3g s", in_seconds(d));
  return out.data();
}

template <class Value>
json or_null(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

const char* udp_word(const verdict& v) {
  return v.udp ? "open" : v.udp_blocked ? "blocked" : "silent";
}

// The mapped address that the first answer showed, for each external address.
json public_of(const behavior_result& r) {
  auto list = json::array();
  for (const auto& ip : r.verdict.external) {
    const auto seen = std::ranges::find_if(
        r.evidence, [&](const exchange& e) { return e.mapped && e.mapped->ip == ip; });
    list.push_back(to_json(*seen->mapped, transport::udp));
  }
  return list;
}

json test_of(const exchange& e) {
  json out{{"test", to_string(e.why)},
           {"local", to_json(e.local, transport::udp)},
           {"to", to_json(e.to, transport::udp)}};
  if (e.change.change_ip || e.change.change_port) {
    out["change_request"] = {{"ip", e.change.change_ip}, {"port", e.change.change_port}};
  }
  if (e.response_port != 0) out["response_port"] = e.response_port;
  if (e.padded) out["padding"] = behavior::padding_size;
  if (e.predicted) out["predicted"] = true;
  if (e.silence > duration{}) out["silence_s"] = in_seconds(e.silence);
  out["sends"] = e.sends;
  out["outcome"] = to_string(e.what);
  if (e.code != 0) out["code"] = e.code;
  if (e.from) out["from"] = to_json(*e.from, transport::udp);
  if (e.mapped) out["mapped"] = to_json(*e.mapped, transport::udp);
  if (e.other) out["other_address"] = to_json(*e.other, transport::udp);
  if (e.answered()) out["rtt_ms"] = json_ms(e.rtt);
  return out;
}

json lifetime_of(const verdict& v) {
  if (!v.lifetime) return nullptr;
  return {{"alive_after_s", in_seconds(v.lifetime->alive_after)},
          {"gone_after_s",
           v.lifetime->gone_after ? json(in_seconds(*v.lifetime->gone_after)) : json(nullptr)}};
}

std::vector<other_nat> same_family(const behavior_result& r, const std::vector<other_nat>& others) {
  std::vector<other_nat> out;
  std::ranges::copy_if(others, std::back_inserter(out),
                       [&](const other_nat& o) { return o.v4 == r.v4; });
  return out;
}

json with_of(const behavior::profile& ours, const other_nat& other) {
  json out{{"classic", other.name}, {"by", to_string(behavior::forecast(ours, other.what))}};
  if (!other.peer.empty()) out["peer_id"] = other.peer;
  if (const auto unlearned = unlearned_of(other.what); !unlearned.empty()) {
    out["unlearned"] = unlearned;
  }
  return out;
}

std::string with_line(const behavior::profile& ours, const other_nat& other) {
  auto out = "  with " + (other.peer.empty() ? "that peer" : other.peer) + " (" + other.name +
             "): " + text(to_string(behavior::forecast(ours, other.what)));
  const char* separator = "; not known of it: ";
  for (const auto what : unlearned_of(other.what)) {
    out += std::exchange(separator, ", ") + text(what);
  }
  return out;
}

// What routers told sockets of this family, each protocol of each router once.
std::vector<portmap::answered> of_family(const behavior_result& r,
                                         const std::vector<portmap::answered>& routers) {
  std::vector<portmap::answered> out;
  for (const auto& router : routers) {
    const auto same = [&](const auto& o) {
      return o.how == router.how && o.gateway == router.gateway;
    };
    std::erase_if(out, same);
    if (router.base.ip.v4 == r.v4) out.push_back(router);
  }
  return out;
}

std::string ports_line(const behavior::port_allocation& ports) {
  auto out = text(to_string(ports.kind));
  if (ports.kind == port_choice::sequential) out += ", step " + std::to_string(ports.step);
  if (ports.kind == port_choice::block) {
    out += ", about " + std::to_string(ports.low) + " to " + std::to_string(ports.high);
  }
  return out;
}

std::string lifetime_line(const behavior::lifetime_bounds& l) {
  if (!l.gone_after) return "at least " + short_seconds(l.alive_after);
  return "between " + short_seconds(l.alive_after) + " and " + short_seconds(*l.gone_after);
}

std::string yes_or_no(bool value) {
  return value ? "yes" : "no";
}

std::string answer_line(const behavior_result& r) {
  const auto& v = r.verdict;
  const std::string family = r.v4 ? "IPv4: " : "IPv6: ";
  if (!v.udp) {
    return family + (v.udp_blocked ? "UDP is blocked; only what goes over TCP connects"
                                   : "no STUN server answers");
  }
  const auto name = classic_name(v);
  const auto hostile = behavior::is_hostile(profile_of(v));
  return family + (name == "unknown" ? "type unknown" : text(name)) +
         (hostile                                      ? ", hard to reach directly"
          : v.mapping == behavior::dependence::unknown ? ", too little is known"
                                                       : ", most peers connect directly");
}

std::string evidence_line(const exchange& e) {
  auto out = "    " + padded(to_string(e.why), 16) + to_string(e.local) + " -> " + to_string(e.to);
  if (e.change.change_ip) out += ", change IP";
  if (e.change.change_port) out += ", change port";
  if (e.response_port != 0) out += ", response port " + std::to_string(e.response_port);
  if (e.padded) out += ", padded";
  out += ": " + text(to_string(e.what));
  if (e.code != 0) out += ' ' + std::to_string(e.code);
  if (e.from && e.from != e.to) out += " from " + to_string(*e.from);
  if (e.mapped) out += ", seen as " + to_string(*e.mapped);
  return out + (e.answered() ? ", " + short_ms(e.rtt) : "");
}

class lines {
 public:
  void add(std::string_view name, const std::string& value) {
    out.push_back("  " + padded(name, 17) + ' ' + value);
  }
  std::vector<std::string> out;
};

void describe(const verdict& v, lines& to) {
  std::string external;
  for (const auto& ip : v.external) external += (external.empty() ? "" : ", ") + to_string(ip);
  to.add("public", external + (v.translated == false ? " (no NAT between)" : ""));
  to.add("mapping", v.mapping_depends && v.mapping == behavior::dependence::unknown
                        ? "depends on the destination"
                        : text(to_string(v.mapping)));
  to.add("filtering", text(to_string(v.filtering)));
  if (v.translated == true) {
    to.add("ports", ports_line(v.ports));
    to.add("pooling", text(to_string(v.pooling)));
    to.add("hairpin", v.hairpin ? yes_or_no(*v.hairpin) : "unknown");
  }
  if (v.fragments) to.add("fragments", yes_or_no(*v.fragments));
  if (v.lifetime) to.add("idle mappings", lifetime_line(*v.lifetime));
  if (v.layers != behavior::layers::unknown) to.add("NATs", text(to_string(v.layers)));
}

}  // namespace

json nat_event(const behavior_result& r, const std::vector<portmap::answered>& routers,
               const std::vector<other_nat>& others) {
  const auto& v = r.verdict;
  const auto ours = profile_of(v);
  json out{{"family", r.v4 ? "ipv4" : "ipv6"},
           {"server", v.udp ? to_json(r.server, transport::udp) : json(nullptr)},
           {"udp", udp_word(v)},
           {"translated", or_null(v.translated)},
           {"mapping", to_string(v.mapping)},
           {"mapping_depends", v.mapping_depends},
           {"filtering", to_string(v.filtering)},
           {"port_allocation", to_string(v.ports.kind)}};
  if (v.ports.kind == port_choice::sequential) out["port_step"] = v.ports.step;
  if (v.ports.kind == port_choice::block) out["port_block"] = {v.ports.low, v.ports.high};
  out["pooling"] = to_string(v.pooling);
  out["hairpin"] = or_null(v.hairpin);
  out["fragments"] = or_null(v.fragments);
  out["lifetime"] = lifetime_of(v);
  out["layers"] = to_string(v.layers);
  auto& mapping = out["port_mapping"] = json::array();
  for (const auto& router : of_family(r, routers)) {
    mapping.push_back(
        {{"protocol", portmap::to_string(router.how)},
         {"gateway", to_string(router.gateway)},
         {"external", router.external ? json(to_string(*router.external)) : json(nullptr)}});
  }
  out["classic"] = classic_name(v);
  out["friendly"] = !behavior::is_hostile(ours);
  out["public"] = public_of(r);
  out["took_ms"] = json_ms(r.took);
  auto& unlearned = out["unlearned"] = json::array();
  for (const auto& line : v.unlearned) unlearned.push_back(line);
  auto& list = out["advice"] = json::array();
  for (const auto& a : behavior::advise(ours)) {
    list.push_back({{"peer", a.peer}, {"by", to_string(a.by)}});
  }
  auto& with = out["with"] = json::array();
  for (const auto& other : same_family(r, others)) {
    with.push_back(with_of(ours, other));
  }
  auto& tests = out["tests"] = json::array();
  for (const auto& e : r.evidence) tests.push_back(test_of(e));
  return out;
}

std::string nat_answer(const std::vector<behavior_result>& all) {
  std::string out;
  for (const auto& r : all) {
    const auto whole = nat_event(r, {}, {});
    json event{{"event", "nat"}};
    for (const char* name : {"family", "udp", "translated", "mapping", "mapping_depends",
                             "filtering", "port_allocation", "hairpin", "classic"}) {
      event[name] = whole[name];
    }
    out += event.dump() + '\n';
  }
  return out;
}

std::vector<std::string> nat_lines(const behavior_result& r,
                                   const std::vector<portmap::answered>& routers,
                                   const std::vector<other_nat>& others, bool evidence) {
  lines to;
  const auto ours = profile_of(r.verdict);
  to.out.push_back(answer_line(r));
  for (const auto& other : same_family(r, others)) {
    to.out.push_back(with_line(ours, other));
  }
  if (r.verdict.udp) describe(r.verdict, to);
  for (const auto& router : of_family(r, routers)) {
    to.add("port mapping",
           text(portmap::to_string(router.how)) + " by " + to_string(router.gateway));
  }
  if (r.verdict.udp || r.verdict.udp_blocked) {
    to.out.push_back("  to a peer behind");
    for (const auto& a : behavior::advise(ours)) {
      to.out.push_back("    " + padded(a.peer, 29) + ' ' + text(to_string(a.by)));
    }
  }
  for (const auto& line : r.verdict.unlearned) to.out.push_back("  not known: " + line);
  if (evidence) {
    to.out.push_back("  tests");
    for (const auto& e : r.evidence) to.out.push_back(evidence_line(e));
  }
  return to.out;
}

}  // namespace nat::commands
