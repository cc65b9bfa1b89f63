#include "ice/gather/gatherer.hpp"

#include <algorithm>

#include "ice/gather/gather_state.hpp"
#include "ice/gather/relay_policy.hpp"
#include "protocol/demux.hpp"
#include "stun/turn/client_errors.hpp"

namespace nat::ice {

gather_socket* gatherer::state::find_socket(const endpoint& base) {
  const auto at = std::ranges::find(sockets_, base, &gather_socket::base);
  return at == sockets_.end() ? nullptr : &*at;
}

void gatherer::state::add_socket(const endpoint& base, std::uint16_t preference, time_point now) {
  if (releasing_ || sockets_.size() >= config_.max_sockets || find_socket(base) != nullptr) return;
  const auto at =
      std::ranges::upper_bound(sockets_, preference, std::greater<>{}, &gather_socket::preference);
  const auto& added = *sockets_.insert(at, {.base = base, .preference = preference});
  report_host(added);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    auto& s = servers_[i];
    if (s.what.proto != transport::udp || !may_ask(base, s.what.address)) continue;
    // Silence at other doors says nothing about this one.
    if (s.state == progress::failed && s.code <= 0) s.state = progress::idle;
    probe(i, added, now);
    const bool wanted = s.state == progress::idle || s.state == progress::asking;
    if (s.what.what == server::kind::turn && wanted) ask_relay_from(i, added, now);
  }
  gathered_ = gathered_ && !anything_pending();
}

void gatherer::state::report_host(const gather_socket& s) {
  // A link-local IPv6 address names no place without its scope, which candidates don't carry.
  if (config_.relay_only || is_unspecified(s.base.ip)) return;
  if (!s.base.ip.v4 && is_link_local(s.base.ip)) return;
  candidate c{.kind = candidate_kind::host,
              .address = s.base,
              .base = s.base,
              .priority = candidate_priority(candidate_kind::host, s.preference),
              .foundation = make_foundation(candidate_kind::host, s.base.ip, {}, transport::udp)};
  events_.push_back(found{.what = std::move(c), .via = {}, .took = {}});
}

void gatherer::state::remove_socket(const endpoint& base, time_point now) {
  if (std::erase_if(sockets_, [&](const auto& s) { return s.base == base; }) == 0) return;
  std::erase_if(mappings_, [&](const auto& m) { return m.base == base; });
  for (auto p = probes_.begin(); p != probes_.end();) {
    if (p->via().local != base) {
      ++p;
      continue;
    }
    const auto gone = *p;
    p = probes_.erase(p);
    end_probe(gone, 0, "its socket is gone");
  }
  std::vector<std::size_t> bereft;
  for (auto r = relays_.begin(); r != relays_.end();) {
    if (r->via.proto != transport::udp || r->via.local != base) {
      ++r;
      continue;
    }
    for (const auto& relayed : r->relayed) events_.push_back(lost{relayed});
    if (!r->retired) bereft.push_back(r->server);
    r = relays_.erase(r);
  }
  for (const auto i : bereft) {
    if (servers_[i].state == progress::done) restart_relay(i, now);
    if (servers_[i].state == progress::asking) approve_next(i, now);
  }
  check_gathered();
}

void gatherer::state::add_server(const server& what, time_point now) {
  const auto same = [&](const gather_server& s) {
    return s.what.what == what.what && s.what.proto == what.proto && s.what.tls == what.tls &&
           s.visited.front() == what.address;
  };
  if (releasing_ || std::ranges::any_of(servers_, same)) return;
  if (what.what == server::kind::turn && config_.no_relay) return;
  if (what.what == server::kind::stun && config_.relay_only) return;
  gather_server rejected{.what = what, .visited = {what.address}};
  if (servers_.size() >= config_.max_servers) {
    return fail_server(rejected, 0, "more than " + std::to_string(config_.max_servers) + " servers",
                       {});
  }
  servers_.push_back(std::move(rejected));
  const auto i = servers_.size() - 1;
  auto& s = servers_.back();
  if (what.what == server::kind::stun && what.proto != transport::udp) {
    return fail_server(s, 0, "a STUN server over TCP can't tell how UDP is mapped", {});
  }
  if (what.address.port == 0 || is_unspecified(what.address.ip) || is_multicast(what.address.ip)) {
    return fail_server(s, 0, "its address is none that can be asked", {});
  }
  for (const auto& socket : sockets_) probe(i, socket, now);
  if (what.what == server::kind::turn) ask_relay(i, now);
  gathered_ = gathered_ && !anything_pending();
}

void gatherer::state::note_failure(gather_server& s, int code, std::string reason,
                                   const endpoint& base) {
  // A word from the server explains more than its silence from another door.
  if (s.code > 0 && code <= 0) return;
  s.code = code;
  s.reason = std::move(reason);
  s.base = base;
}

void gatherer::state::fail_server(gather_server& s, int code, std::string reason,
                                  const endpoint& base) {
  note_failure(s, code, std::move(reason), base);
  s.state = progress::failed;
  events_.push_back(
      server_failed{.url = s.what.url, .base = s.base, .code = s.code, .reason = s.reason});
}

// Servers that wait for a socket of their family, or for a turn that may never come, hold nothing
// up.
bool gatherer::state::anything_pending() const {
  return streams_due() ||
         std::ranges::any_of(probes_, [](const auto& p) { return !p.keepalive(); }) ||
         std::ranges::any_of(servers_, [](const auto& s) { return s.state == progress::asking; });
}

void gatherer::state::check_gathered() {
  if (gathered_ || !servers_ended_ || releasing_) return;
  if (anything_pending()) return;
  gathered_ = true;
  for (auto& s : servers_) {
    if (s.state != progress::idle || s.what.proto != transport::udp) continue;
    fail_server(s, 0, "this host has no address of its family that leads there", {});
  }
  events_.push_back(gathered{});
}

void gatherer::state::handle_timeout(time_point now) {
  probe_timeouts(now);
  keep_mappings(now);
  stream_timeouts(now);
  for (auto r = relays_.begin(); r != relays_.end(); ++r) {
    if (const auto due = r->client.next_timeout(); due && now >= *due) {
      r->client.handle_timeout(now);
      pump(r, now);
    }
  }
  reap();
  if (const auto due = streams_due(); due && now >= *due) ask_streams(now);
  check_gathered();
}

std::optional<time_point> gatherer::state::next_timeout() const {
  std::optional<time_point> next = streams_due();
  for (const auto& p : probes_) next = earlier(next, p.timer().next());
  for (const auto& r : relays_) next = earlier(next, r.client.next_timeout());
  for (const auto& s : servers_) next = earlier(next, s.opening_deadline);
  if (releasing_ || config_.keepalive <= duration{}) return next;
  for (const auto& s : sockets_) {
    if (s.reflexive) next = earlier(next, s.keepalive_at);
  }
  return next;
}

void gatherer::state::release(time_point now) {
  releasing_ = true;
  probes_.clear();
  streams_at_.reset();
  for (auto& s : servers_) s.opening_deadline.reset();
  for (auto r = relays_.begin(); r != relays_.end(); ++r) {
    if (!r->retired) retire(*r, now);
    pump(r, now);
  }
  reap();
}

gatherer::gatherer(gather_config config, random_source& random, time_point now)
    : state_(std::make_unique<state>(config, random, now)) {}
gatherer::~gatherer() = default;
gatherer::gatherer(gatherer&&) noexcept = default;
gatherer& gatherer::operator=(gatherer&&) noexcept = default;

void gatherer::add_socket(const endpoint& base, std::uint16_t local_preference, time_point now) {
  state_->add_socket(base, local_preference, now);
}

void gatherer::remove_socket(const endpoint& base, time_point now) {
  state_->remove_socket(base, now);
}

void gatherer::add_server(const server& s, time_point now) {
  state_->add_server(s, now);
}

void gatherer::end_of_servers(time_point now) {
  state_->servers_ended_ = true;
  if (const auto due = state_->streams_due(); due && now >= *due) state_->ask_streams(now);
  state_->check_gathered();
}

void gatherer::stream_opened(std::uint32_t id, const path& connection, time_point now) {
  state_->stream_opened(id, connection, now);
}

void gatherer::stream_closed(std::uint32_t id, std::string reason, time_point now) {
  state_->stream_closed(id, std::move(reason), now);
  state_->reap();
  state_->check_gathered();
}

gatherer::consumed gatherer::handle_datagram(const path& from, byte_view datagram, time_point now) {
  const auto kind = classify(datagram);
  if (kind != datagram_kind::stun && kind != datagram_kind::turn_channel) return {};
  for (auto r = state_->relays_.begin(); r != state_->relays_.end(); ++r) {
    if (r->via != from) continue;
    const auto taken = r->client.handle_datagram(from, datagram, now);
    if (!taken.ours) continue;
    if (!taken.data) {
      state_->pump(r, now);
      state_->reap();
      state_->check_gathered();
      return {.ours = true, .from = std::nullopt, .data = {}};
    }
    return {.ours = true,
            .from = path{transport::udp, taken.data->relayed, taken.data->peer},
            .data = taken.data->data};
  }
  if (kind != datagram_kind::stun || from.proto != transport::udp) return {};
  const auto view = stun::message_view::parse(datagram);
  if (!view || view->type().method != stun::method::binding) return {};
  const bool ours = state_->handle_binding(from, *view, now);
  if (ours) state_->check_gathered();
  return {.ours = ours, .from = std::nullopt, .data = {}};
}

void gatherer::handle_timeout(time_point now) {
  state_->handle_timeout(now);
}

// What the kernel says about a path that has carried nothing yet ends the wait; an allocation that
// stands has its own timers and outlives a passing error.
void gatherer::handle_send_failure(const path& via, time_point now) {
  constexpr auto reason = "the network does not lead there";
  for (auto p = state_->probes_.begin(); p != state_->probes_.end();) {
    if (p->via() != via) {
      ++p;
      continue;
    }
    const auto ended = *p;
    p = state_->probes_.erase(p);
    if (!ended.keepalive()) state_->end_probe(ended, 0, reason);
  }
  for (auto& r : state_->relays_) {
    if (r.via != via || r.allocated || r.retired) continue;
    r.retired = true;
    r.client.release(now);
    state_->note_failure(state_->servers_[r.server], 0, reason, via.local);
    state_->approve_next(r.server, now);
  }
  state_->reap();
  state_->check_gathered();
}

bool gatherer::is_relayed(const endpoint& local) const {
  return state_->find_relay(local) != nullptr;
}

bool gatherer::may_relay(const endpoint& relayed, const address& peer) const {
  const auto* r = state_->find_relay(relayed);
  return r != nullptr && peer.v4 == relayed.ip.v4 && ice::may_relay(r->via.remote.ip, peer);
}

bool gatherer::send(const transmit& out, time_point now) {
  if (out.hop_limit) return false;  // must not arrive, and through a relay it would
  if (!may_relay(out.via.local, out.via.remote.ip)) return false;
  return state_->find_relay(out.via.local)
      ->client.send(out.via.remote, out.data, now, out.segment_size);
}

void gatherer::permit(const address& peer, time_point now) {
  auto& all = state_->permitted_;
  if (std::ranges::find(all, peer) != all.end()) return;
  if (all.size() >= state_->config_.max_permitted) all.erase(all.begin());
  all.push_back(peer);
  for (auto& r : state_->relays_) {
    if (!r.retired && ice::may_relay(r.via.remote.ip, peer)) r.client.permit(peer, now);
  }
}

void gatherer::bind_channel(const path& via, time_point now) {
  if (!may_relay(via.local, via.remote.ip)) return;
  state_->find_relay(via.local)->client.bind_channel(via.remote, now);
}

void gatherer::release(time_point now) {
  state_->release(now);
}

bool gatherer::released() const {
  return state_->releasing_ && state_->relays_.empty();
}

const std::vector<mapping_observation>& gatherer::mappings() const {
  return state_->mappings_;
}

std::optional<transmit> gatherer::poll_transmit() {
  for (auto& r : state_->relays_) {
    if (auto out = r.client.poll_transmit()) return out;
  }
  if (state_->outbox_.empty()) return std::nullopt;
  auto first = std::move(state_->outbox_.front());
  state_->outbox_.pop_front();
  return first;
}

std::optional<gather_event> gatherer::poll_event() {
  if (state_->events_.empty()) return std::nullopt;
  auto first = std::move(state_->events_.front());
  state_->events_.pop_front();
  return first;
}

std::optional<time_point> gatherer::next_timeout() const {
  return state_->next_timeout();
}

}  // namespace nat::ice
