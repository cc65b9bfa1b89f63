#include <algorithm>
#include <utility>

#include "ice/gather/gather_state.hpp"
#include "ice/gather/relay_policy.hpp"

namespace nat::ice {
namespace {

constexpr unsigned max_restarts = 3;  // of an allocation that was lost

// RFC 8839, 5.1: what stands for an address that is nobody's business.
constexpr endpoint hidden{.ip = {}, .port = 9};

// Relays by UDP before TCP before TLS, IPv6 before IPv4 (RFC 8421, 4), then in the order given.
std::uint16_t relay_preference(const server& s, std::size_t index, bool v4) {
  const unsigned way = s.proto == transport::udp ? 3 : s.tls ? 1 : 2;
  return static_cast<std::uint16_t>((way << 14) | (v4 ? 0U : 1U << 13) |
                                    (0x1FFFU - std::min<std::size_t>(index, 0x1FFF)));
}

}  // namespace

void gatherer::state::ask_relay(std::size_t i, time_point now) {
  if (servers_[i].what.proto == transport::tcp) {
    streams_at_ = earlier(streams_at_, now + config_.stream_delay);
    return;
  }
  for (const auto& socket : sockets_) ask_relay_from(i, socket, now);
}

// From every socket at once, so that dead ends cost nothing: the first Allocate is unsigned and
// leaves nothing at the server. Whose challenge comes first may go on.
void gatherer::state::ask_relay_from(std::size_t i, const gather_socket& socket, time_point now) {
  if (!may_ask(socket.base, servers_[i].what.address)) return;
  attempt(i, {transport::udp, socket.base, servers_[i].what.address}, now).preference =
      socket.preference;
}

relay_attempt& gatherer::state::attempt(std::size_t i, const path& via, time_point now) {
  auto& s = servers_[i];
  turn::client_config config{
      .server = via, .username = s.what.username, .password = s.what.password};
  config.wanted = config_.relay_v6 ? turn::families::both : turn::families::v4;
  config.await_approval = via.proto == transport::udp;
  config.initial_rto = config_.stun_initial_rto;
  config.max_sends = config_.stun_max_sends;
  config.keepalive = config_.keepalive;
  s.state = progress::asking;
  auto& made = relays_.emplace_back(relay_attempt{
      .server = i, .via = via, .client = {std::move(config), random_, now}, .started = now});
  for (const auto& peer : permitted_) {
    if (ice::may_relay(via.remote.ip, peer)) made.client.permit(peer, now);
  }
  return made;
}

relay_attempt* gatherer::state::find_relay(const endpoint& relayed) {
  for (auto& r : relays_) {
    if (std::ranges::find(r.relayed, relayed) != r.relayed.end()) return &r;
  }
  return nullptr;
}

bool gatherer::state::has_attempt(std::size_t i) const {
  return std::ranges::any_of(relays_,
                             [&](const relay_attempt& r) { return r.server == i && !r.retired; });
}

void gatherer::state::pump(std::list<relay_attempt>::iterator r, time_point now) {
  while (const auto event = r->client.poll_event()) {
    if (r->retired) continue;
    std::visit([&](const auto& e) { handle(*r, e, now); }, *event);
  }
}

void gatherer::state::handle(relay_attempt& r, const turn::challenged&, time_point now) {
  servers_[r.server].reachable = true;
  r.challenged = true;
  approve_next(r.server, now);
}

// Lets one attempt go on unless one is under way; gives the server up when none is left.
void gatherer::state::approve_next(std::size_t i, time_point now) {
  relay_attempt* next = nullptr;
  for (auto& r : relays_) {
    if (r.server != i || r.retired) continue;
    if (r.approved || r.allocated) return;
    if (r.challenged && (next == nullptr || r.preference > next->preference)) next = &r;
  }
  if (next != nullptr) {
    next->approved = true;
    next->client.approve(now);
  } else if (!has_attempt(i) && servers_[i].state == progress::asking) {
    give_up_relay(i, now);
  }
}

void gatherer::state::handle(relay_attempt& r, const turn::allocated& event, time_point now) {
  auto& s = servers_[r.server];
  s.reachable = true;
  s.state = progress::done;
  if (!r.allocated) drop_rivals(r, now);
  r.allocated = true;
  if (r.via.proto == transport::udp && event.mapped.port != 0 &&
      event.mapped.ip.v4 == r.via.local.ip.v4) {
    note_mapping(r.server, r.via, event.mapped, now - r.started, now);
  }
  if (find_relay(event.relayed) != nullptr) return;
  r.relayed.push_back(event.relayed);
  candidate c{.kind = candidate_kind::relayed,
              .address = event.relayed,
              .base = event.relayed,
              .priority = candidate_priority(
                  candidate_kind::relayed, relay_preference(s.what, r.server, event.relayed.ip.v4)),
              .foundation = make_foundation(candidate_kind::relayed, event.relayed.ip,
                                            s.what.address, s.what.proto),
              .related = config_.relay_only ? hidden : event.mapped};
  events_.push_back(found{.what = std::move(c), .via = s.what.url, .took = now - r.started});
}

void gatherer::state::drop_rivals(const relay_attempt& winner, time_point now) {
  for (auto& r : relays_) {
    if (r.server == winner.server && &r != &winner && !r.retired) retire(r, now);
  }
}

void gatherer::state::retire(relay_attempt& r, time_point now) {
  r.retired = true;
  r.relayed.clear();
  r.client.release(now);
}

// Clients that have come to their end, once nothing of theirs waits to be sent.
void gatherer::state::reap() {
  for (auto r = relays_.begin(); r != relays_.end();) {
    if (!r->client.finished()) {
      ++r;
      continue;
    }
    while (auto last = r->client.poll_transmit()) queue(std::move(*last));
    if (r->stream != 0) events_.push_back(close_stream{r->via});
    r = relays_.erase(r);
  }
}

void gatherer::state::handle(relay_attempt& r, const turn::refused& event, time_point now) {
  const auto i = r.server;
  auto& s = servers_[i];
  const bool was_allocated = r.allocated;
  r.retired = true;
  for (const auto& relayed : std::exchange(r.relayed, {})) events_.push_back(lost{relayed});
  note_failure(s, event.code, event.reason, r.via.local);
  if (was_allocated) return restart_relay(i, now);
  // What the server says about the user or itself, it says at every door.
  const bool final_word = event.code > 0 && event.code != 437;
  if (final_word) {
    for (auto& other : relays_) {
      if (other.server == i && !other.retired) retire(other, now);
    }
  }
  approve_next(i, now);
}

void gatherer::state::handle(relay_attempt& r, const turn::alternate& event, time_point now) {
  const auto i = r.server;
  auto& s = servers_[i];
  r.retired = true;
  if (!redirect(s, r.via.remote, event.server)) {
    note_failure(s, 300, "the server sends us round in circles, or where it may not", r.via.local);
    return approve_next(i, now);
  }
  for (auto& other : relays_) {
    if (other.server == i && !other.retired) retire(other, now);
  }
  s.what.address = event.server;
  if (!event.domain.empty()) s.what.host = event.domain;
  if (s.what.proto == transport::tcp) return open(i, now);
  for (const auto& socket : sockets_) ask_relay_from(i, socket, now);
  if (!has_attempt(i)) {
    fail_server(s, 300, "no address of ours leads to the server it names", r.via.local);
  }
}

// What was lost once may be had again; a server that keeps losing it is left alone.
void gatherer::state::restart_relay(std::size_t i, time_point now) {
  auto& s = servers_[i];
  if (releasing_ || s.restarts >= max_restarts) return fail_server(s, s.code, s.reason, s.base);
  ++s.restarts;
  s.state = progress::asking;
  if (s.what.proto == transport::tcp) return open(i, now);
  for (const auto& socket : sockets_) ask_relay_from(i, socket, now);
  if (!has_attempt(i)) give_up_relay(i, now);
}

void gatherer::state::give_up_relay(std::size_t i, time_point now) {
  auto& s = servers_[i];
  fail_server(s, s.code, s.reason, s.base);
  if (streams_at_) streams_at_ = now;  // no need to wait any longer, if it was the last one
}

}  // namespace nat::ice
