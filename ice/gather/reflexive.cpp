#include <algorithm>

#include "ice/gather/gather_state.hpp"
#include "ice/gather/relay_policy.hpp"
#include "stun/turn/client_errors.hpp"

namespace nat::ice {
namespace {

constexpr unsigned max_redirections = 3;  // of one server

}  // namespace

// TURN servers are asked as well: they answer Binding requests (RFC 8656, 2), a round trip sooner
// than an allocation stands and from sockets that none is asked from. Silence is no failure then.
void gatherer::state::probe(std::size_t i, const gather_socket& socket, time_point now) {
  auto& s = servers_[i];
  if (config_.relay_only || s.state == progress::failed || s.what.proto != transport::udp) return;
  if (!may_ask(socket.base, s.what.address)) return;
  const path via{transport::udp, socket.base, s.what.address};
  const auto same = [&](const binding_probe& p) { return p.via() == via; };
  if (std::ranges::any_of(probes_, same)) {
    if (s.what.what == server::kind::stun) s.state = progress::done;  // its twin speaks for it
    return;
  }
  if (s.what.what == server::kind::stun && s.state == progress::idle) s.state = progress::asking;
  start_probe(i, via, false, now);
}

void gatherer::state::start_probe(std::size_t i, const path& via, bool keepalive, time_point now) {
  const stun::retransmission rules{.initial_rto = config_.stun_initial_rto,
                                   .max_sends = keepalive ? 1 : config_.stun_max_sends,
                                   .final_wait = 2};
  probes_.emplace_back(i, via, keepalive, rules, random_, now);
  queue({.via = via, .data = probes_.back().request(), .hop_limit = std::nullopt});
}

bool gatherer::state::handle_binding(const path& from, const stun::message_view& answer,
                                     time_point now) {
  for (auto p = probes_.begin(); p != probes_.end(); ++p) {
    const auto read = p->read_answer(from, answer);
    if (!read) continue;
    const auto ended = *p;
    probes_.erase(p);
    if (!*read) {
      handle_refusal(ended, read->error(), now);
      return true;
    }
    auto& s = servers_[ended.server()];
    s.reachable = true;
    if (s.what.what == server::kind::stun) s.state = progress::done;
    note_mapping(ended.server(), from, **read, now - ended.started(), now);
    return true;
  }
  return false;
}

void gatherer::state::handle_refusal(const binding_probe& p, const binding_refusal& refusal,
                                     time_point now) {
  auto& s = servers_[p.server()];
  const bool stun_server = s.what.what == server::kind::stun;
  if (refusal.code == 300 && stun_server && refusal.alternate &&
      may_ask(p.via().local, *refusal.alternate) &&
      redirect(s, p.via().remote, *refusal.alternate)) {
    return start_probe(p.server(), {transport::udp, p.via().local, *refusal.alternate}, false, now);
  }
  end_probe(p, refusal.code, turn::explain(refusal.code, refusal.phrase));
}

// Whether to follow; remembers where it went. Sockets are redirected each on its own, as a rule to
// where another one was sent before.
bool gatherer::state::redirect(gather_server& s, const endpoint& from, const endpoint& to) {
  if (to == from || !may_redirect(s.visited.front().ip, to)) return false;
  if (to == s.visited.back()) return true;
  if (std::ranges::find(s.visited, to) != s.visited.end()) return false;
  if (s.visited.size() > max_redirections) return false;
  s.visited.push_back(to);
  return true;
}

void gatherer::state::end_probe(const binding_probe& p, int code, std::string reason) {
  auto& s = servers_[p.server()];
  if (p.keepalive() || s.what.what != server::kind::stun) return;
  note_failure(s, code, std::move(reason), p.via().local);
  const auto sibling = [&](const binding_probe& other) {
    return other.server() == p.server() && !other.keepalive();
  };
  if (s.state != progress::asking || std::ranges::any_of(probes_, sibling)) return;
  fail_server(s, s.code, s.reason, s.base);
}

bool gatherer::state::is_redundant(const endpoint& mapped) const {
  return std::ranges::any_of(sockets_, [&](const gather_socket& s) {
    return s.base == mapped || s.reflexive == mapped || s.mapped == mapped;
  });
}

void gatherer::state::note_mapping(std::size_t i, const path& seen_over, const endpoint& mapped,
                                   duration took, time_point now) {
  auto* socket = find_socket(seen_over.local);
  if (socket == nullptr) return;
  const auto same = [&](const mapping_observation& m) {
    return m.base == seen_over.local && m.server == seen_over.remote;
  };
  if (const auto at = std::ranges::find_if(mappings_, same); at != mappings_.end()) {
    at->mapped = mapped;
  } else if (mappings_.size() < config_.max_sockets * config_.max_servers) {
    mappings_.push_back({seen_over.local, seen_over.remote, mapped});
  }
  // The first answer counts, until the one who gave it says otherwise.
  const bool moved = socket->reflexive && socket->reflexive_seen_at == seen_over.remote;
  if (config_.relay_only || (socket->reflexive && !moved) || is_redundant(mapped)) return;
  socket->reflexive = mapped;
  socket->reflexive_server = i;
  socket->reflexive_seen_at = seen_over.remote;
  socket->keepalive_at = now + config_.keepalive;
  report_reflexive(*socket, servers_[i], took);
}

void gatherer::state::report_reflexive(gather_socket& socket, const gather_server& s,
                                       duration took) {
  if (events_.size() >= config_.max_events) return;
  constexpr auto kind = candidate_kind::server_reflexive;
  candidate c{
      .kind = kind,
      .address = *socket.reflexive,
      .base = socket.base,
      .priority = candidate_priority(kind, socket.preference),
      .foundation = make_foundation(kind, socket.base.ip, socket.reflexive_seen_at, transport::udp),
      .related = socket.base};
  events_.push_back(found{.what = std::move(c), .via = s.what.url, .took = took});
}

void gatherer::state::add_mapped(const endpoint& base, const endpoint& external,
                                 const endpoint& gateway, std::string via, duration took) {
  auto* const socket = find_socket(base);
  if (socket == nullptr || config_.relay_only || releasing_ || is_redundant(external)) return;
  if (events_.size() >= config_.max_events) return;
  socket->mapped = external;
  constexpr auto kind = candidate_kind::server_reflexive;
  // One below what STUN finds: no two candidates of one priority (RFC 8445, 5.1.2).
  const auto preference = static_cast<std::uint16_t>(std::max(1, int{socket->preference}) - 1);
  candidate c{.kind = kind,
              .address = external,
              .base = base,
              .priority = candidate_priority(kind, preference),
              .foundation = make_foundation(kind, base.ip, gateway, transport::udp),
              .related = base};
  events_.push_back(found{.what = std::move(c), .via = std::move(via), .took = took});
}

void gatherer::state::probe_timeouts(time_point now) {
  using action = stun::retransmit_timer::action;
  for (std::size_t i = 0; i < probes_.size();) {
    const auto due = probes_[i].timer().poll(now);
    if (due == action::resend) {
      queue({.via = probes_[i].via(), .data = probes_[i].request(), .hop_limit = std::nullopt});
    }
    if (due != action::give_up) {
      ++i;
      continue;
    }
    const auto ended = probes_[i];
    probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
    end_probe(ended, 0, turn::explain(0));
  }
}

// A request rather than an indication (RFC 8445, 11): its answer shows a mapping that has moved.
void gatherer::state::keep_mappings(time_point now) {
  if (releasing_ || config_.keepalive <= duration{}) return;
  for (auto& s : sockets_) {
    if (!s.reflexive || now < s.keepalive_at) continue;
    s.keepalive_at = now + config_.keepalive;
    start_probe(s.reflexive_server, {transport::udp, s.base, s.reflexive_seen_at}, true, now);
  }
}

}  // namespace nat::ice
