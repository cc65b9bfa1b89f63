#include "peer-cli/commands/reporter.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "peer-cli/commands/link_report.hpp"
#include "peer-cli/commands/routers.hpp"
#include "peer-cli/commands/words.hpp"
#include "protocol/dtls/certificate.hpp"

namespace nat::commands {

struct reporter::state {
  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  bool as_json = false;
  int descriptor = 2;
  int verbosity = 0;
  verb command = verb::listen;
  std::string server;
  std::string secret_hint;
  int write_error = 0;
  bool signaling_away = false;  // and this has been told
  std::vector<ice::found> candidates;
  std::vector<ice::server_failed> silent;
  std::vector<session::nat_view> nats;
  routers around;

  // A whole line in one write, so that lines of several writers don't mix.
  void write(int to, std::string line) {
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
      const auto n = ::write(to, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {  // somebody we share it with made it non-blocking
        pollfd room{to, POLLOUT, 0};
        ::poll(&room, 1, -1);
        continue;
      }
      if (n < 0) {
        if (to != 2) write_error = errno;
        return;
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void emit(const char* name, json fields) {
    if (!as_json) return;
    json line{{"event", name}, {"ms", json_ms(std::chrono::steady_clock::now() - start)}};
    line.update(fields);
    // Names from outside may hold anything; what is not UTF-8 is replaced, not thrown at.
    write(descriptor, line.dump(-1, ' ', false, json::error_handler_t::replace));
  }

  void say(const std::string& line) {
    if (verbosity >= 0 && !(as_json && descriptor == 2)) write(2, line);
  }
  void say_more(const std::string& line) {
    if (verbosity > 0) say(line);
  }
  void result(const std::string& line) {
    if (!as_json) write(1, line);
  }

  void tell(const session::registered& e) {
    emit("registered", {{"peer_id", e.peer_id},
                        {"server", server},
                        {"ice_servers", e.ice_servers},
                        {"again", e.again}});
    const bool back = std::exchange(signaling_away, false);
    if (e.again) return back ? say("signaling: registered again") : say_more("registered again");
    say("registered as " + e.peer_id);
    if (command != verb::listen || verbosity < 0) return;
    say("waiting; on the other machine:  peer-cli -s " + server + secret_hint + " connect " +
        e.peer_id);
  }
  void tell(const session::signaling_lost& e) {
    signaling_away = true;
    emit("signaling-lost", {{"reason", e.reason}, {"retry_ms", json_ms(e.retry_in)}});
    say("signaling: " + e.reason + "; trying again in " + short_ms(e.retry_in));
  }
  void tell(const session::signaling_not_refreshed& e) {
    emit("signaling-not-refreshed", {{"reason", e.reason}});
    say("signaling: the registration can't be refreshed and is kept as it is: " + e.reason);
  }
  void tell(const session::local_candidate& e) {
    if (command == verb::gather) candidates.push_back(e.what);
    around.note(e.what);
    json fields{{"side", "local"}};
    fields.update(to_json(e.what.what));
    fields["priority"] = e.what.what.priority;
    fields["foundation"] = e.what.what.foundation;
    fields["base"] = to_json(e.what.what.base, e.what.what.proto);
    if (!e.what.via.empty()) fields["via"] = e.what.via;
    fields["took_ms"] = json_ms(e.what.took);
    emit("candidate", std::move(fields));
    say_more("local candidate " + std::string(to_string(e.what.what.kind)) + ' ' +
             to_string(e.what.what.address));
  }
  void tell(const session::remote_candidate& e) {
    json fields{{"side", "remote"}};
    fields.update(to_json(e.what));
    fields["priority"] = e.what.priority;
    fields["foundation"] = e.what.foundation;
    emit("candidate", std::move(fields));
    say_more("remote candidate " + std::string(to_string(e.what.kind)) + ' ' +
             to_string(e.what.address));
  }
  void tell(const session::server_silent& e) {
    if (command != verb::listen) silent.push_back(e.what);
    say_more(e.what.url + ": " + e.what.reason);
  }
  void tell(const ice::gathered&) {}
  void tell(const session::link_started& e) {
    peer = e.peer_id;
    say_more((e.offered_by_us ? "offered to " : "offer from ") + e.peer_id);
  }
  void tell(const session::path_found& e) {
    const auto rtt = e.path.rtt;
    emit(e.first ? "connected" : "path", {{"peer_id", peer},
                                          {"path", path_name(e.path)},
                                          {"local", to_json(e.path.local)},
                                          {"remote", to_json(e.path.remote)},
                                          {"connect_ms", json_ms(e.took)},
                                          {"rtt_ms", json_ms(rtt)}});
    say((e.first ? "connected to " + peer + ": " : std::string("path: ")) + path_name(e.path) +
        ", " + to_string(e.path.via.remote) + ", " + short_ms(rtt));
  }
  void tell(const session::path_doubted&) { say("the path is silent; looking for another"); }
  void tell(const session::channel_secured& e) {
    emit("secured", {{"cipher", e.what.cipher},
                     {"fingerprint", dtls::to_string(e.what.peer)},
                     {"secure_ms", json_ms(e.took)}});
    say_more("encrypted, " + e.what.cipher + ", peer " + dtls::to_string(e.what.peer));
  }
  void tell(const portmap::mapped& e) {
    around.note(e);
    auto fields = to_json(e.what);
    fields["took_ms"] = json_ms(e.what.took);
    emit("port-mapped", std::move(fields));
    say_more(e.what.via() + " leads " + to_string(e.what.external) + " here");
  }
  void tell(const portmap::unmapped& e) {
    around.note(e);
    emit("port-unmapped", to_json(e.what));
    say_more(e.what.via() + " leads " + to_string(e.what.external) + " here no longer");
  }
  void tell(const portmap::answered& e) {
    around.note(e);
    json fields{{"protocol", to_string(e.how)}, {"gateway", to_string(e.gateway)}};
    if (e.external) fields["external_address"] = to_string(*e.external);
    emit("gateway", std::move(fields));
  }
  void tell(const portmap::refused& e) {
    around.note(e);
    emit("port-refused",
         {{"protocol", to_string(e.how)}, {"gateway", to_string(e.gateway)}, {"reason", e.reason}});
    say_more(std::string(to_string(e.how)) + ':' + to_string(e.gateway) +
             " refused to map a port: " + e.reason);
  }
  template <class Other>
  void tell(const Other&) {}

  json nats_as_json() const {
    auto list = json::array();
    for (const auto& view : nats) list.push_back(nat_of(view));
    return list;
  }

  std::string peer;
};

reporter::reporter(const options& o, bool payload) : state_(std::make_unique<state>()) {
  state_->as_json = o.json;
  state_->descriptor = o.json_descriptor >= 0 ? o.json_descriptor : payload ? 2 : 1;
  state_->verbosity = o.verbosity;
  state_->command = o.command;
  state_->server = o.server;
  if (o.secret) state_->secret_hint = " --secret-file FILE";
}
reporter::~reporter() = default;

session::exit_status reporter::status_after(session::exit_status status) {
  if (state_->write_error == 0) return status;
  state_->write(
      2, std::string("peer-cli: can't write the result: ") + std::strerror(state_->write_error));
  return session::exit_status::internal;
}
void reporter::emit(const char* name, json fields) {
  state_->emit(name, std::move(fields));
}
void reporter::result(const std::string& line) {
  state_->result(line);
}
void reporter::say(const std::string& line) {
  state_->say(line);
}
void reporter::say_more(const std::string& line) {
  state_->say_more(line);
}

void reporter::event(const session::peer_event& e) {
  std::visit([&](const auto& one) { state_->tell(one); }, e);
}

void reporter::error(const session::failure& why) {
  state_->emit(
      "error",
      {{"code", why.code}, {"message", why.message}, {"status", static_cast<int>(why.status)}});
  if (!(state_->as_json && state_->descriptor == 2)) state_->write(2, "peer-cli: " + why.message);
  if (why.status != session::exit_status::no_path || state_->command == verb::check) return;
  for (const auto& view : state_->nats) state_->say("NAT, " + nat_line(view));
}

void reporter::message(const session::link& link, std::size_t size) {
  state_->emit("message", {{"peer_id", link.remote_id()},
                           {"sent", size},
                           {"received", size},
                           {"paths", bytes_of(link.traffic())}});
}

void reporter::nat(const std::vector<ice::mapping_observation>& seen) {
  state_->nats = session::view_nat(seen);
}

void reporter::closed(const session::link& link, std::uint64_t sent, std::uint64_t received) {
  state_->emit("closed", {{"peer_id", link.remote_id()},
                          {"sent", sent},
                          {"received", received},
                          {"paths", bytes_of(link.traffic())},
                          {"nat", state_->nats_as_json()}});
  for (const auto& view : state_->nats) state_->say_more("NAT, " + nat_line(view));
  state_->say("closed: " + std::to_string(sent) + " bytes sent, " + std::to_string(received) +
              " received");
}

void reporter::report(const std::string& outcome, const session::link* link,
                      std::optional<duration> rtt, const std::optional<session::failure>& why) {
  json fields{{"outcome", outcome}};
  const auto number = [](const std::optional<duration>& d) {
    return d ? json(json_ms(*d)) : json(nullptr);
  };
  const auto* const path = link && link->current() ? &*link->current() : nullptr;
  fields["local"] = path ? to_json(path->local) : json(nullptr);
  fields["remote"] = path ? to_json(path->remote) : json(nullptr);
  fields["connect_ms"] = link ? number(link->connect_time()) : json(nullptr);
  fields["secure_ms"] = link ? number(link->secure_time()) : json(nullptr);
  fields["rtt_ms"] = number(rtt);
  fields["timeline"] = link ? timeline_of(*link) : json::array();
  fields["pairs"] = link ? pairs_of(*link) : json::array();
  if (why) fields["reason"] = why->message;
  auto& servers = fields["servers_failed"] = json::array();
  for (const auto& server : state_->silent)
    servers.push_back({{"server", server.url}, {"reason", server.reason}});
  fields["nat"] = state_->nats_as_json();
  fields["routers"] = state_->around.list();
  if (state_->as_json) return state_->emit("report", std::move(fields));

  if (path) {
    state_->result(outcome + ", " + to_string(path->via.remote) + ", " +
                   short_ms(rtt.value_or(path->rtt)));
  } else {
    state_->result(outcome + (why ? ": " + why->message : std::string{}));
  }
  if (link && link->connect_time())
    state_->result("  connected after   " + short_ms(*link->connect_time()));
  if (link && link->secure_time())
    state_->result("  encrypted after   " + short_ms(*link->secure_time()));
  if (path) {
    state_->result("  local candidate   " + std::string(to_string(path->local.kind)) + ' ' +
                   to_string(path->local.address));
    state_->result("  remote candidate  " + std::string(to_string(path->remote.kind)) + ' ' +
                   to_string(path->remote.address));
  }
  for (const auto& server : state_->silent)
    state_->result("  server " + server.url + ": " + server.reason);
  if (why || state_->verbosity > 0) {
    for (const auto& view : state_->nats) state_->result("  NAT, " + nat_line(view));
  }
  for (const auto& line : state_->around.lines()) state_->result("  router " + line);
  if (!link) return;
  state_->result("  timeline");
  for (const auto& entry : link->timeline()) {
    std::array<char, 32> at{};
    std::snprintf(at.data(), at.size(), "    %8.1f ms  ", milliseconds(entry.at));
    state_->result(at.data() + entry.what);
  }
  state_->result("  pairs");
  for (const auto& pair : link->agent().pairs()) {
    state_->result(
        "    " + std::string(to_string(pair.local.kind)) + ' ' + to_string(pair.local.address) +
        " -> " + std::string(to_string(pair.remote.kind)) + ' ' + to_string(pair.remote.address) +
        "  " + state_name(pair.state) + (pair.selected ? ", selected" : "") + ", checks " +
        std::to_string(pair.checks_sent) + " out " + std::to_string(pair.checks_received) + " in" +
        (pair.rtt ? ", " + short_ms(*pair.rtt) : std::string{}));
  }
}

void reporter::stun(const std::string& server, const endpoint& mapped, const path& over,
                    duration rtt, const std::string& software) {
  const auto& local = over.local;
  if (state_->as_json) {
    return state_->emit("stun", {{"server", server},
                                 {"mapped", to_json(mapped, over.proto)},
                                 {"local", to_json(local, over.proto)},
                                 {"rtt_ms", json_ms(rtt)},
                                 {"software", software}});
  }
  state_->result(to_string(mapped));
  state_->result("  local   " + to_string(local) + (local == mapped ? " (no NAT between)" : ""));
  state_->result("  server  " + server + ", " + short_ms(rtt) +
                 (software.empty() ? "" : ", " + software));
}

void reporter::gather_table() {
  if (state_->as_json) return;  // each was an event
  state_->result(std::to_string(state_->candidates.size()) + " candidates");
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), "  %-6s %-5s %-46s %-26s %-11s %-11s %-9s %s", "type",
                "proto", "address", "base", "priority", "foundation", "took", "via");
  state_->result(line.data());
  for (const auto& found : state_->candidates) {
    const auto& c = found.what;
    std::snprintf(line.data(), line.size(), "  %-6s %-5s %-46s %-26s %-11u %-11s %-9s %s",
                  std::string(to_string(c.kind)).c_str(), std::string(to_string(c.proto)).c_str(),
                  to_string(c.address).c_str(), to_string(c.base).c_str(), c.priority,
                  c.foundation.c_str(), short_ms(found.took).c_str(), found.via.c_str());
    state_->result(line.data());
  }
  for (const auto& server : state_->silent)
    state_->result("  " + server.url + ": " + server.reason);
  for (const auto& one : state_->around.lines()) state_->result("  router " + one);
}

}  // namespace nat::commands
