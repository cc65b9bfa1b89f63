#include "ice/gather/gather_state.hpp"

#include <algorithm>
#include <utility>

#include "ice/gather/relay_policy.hpp"

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

void gatherer::state::queue(transmit out) {
  if (outbox_.size() < config_.max_outbox) outbox_.push_back(std::move(out));
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

}  // namespace nat::ice
