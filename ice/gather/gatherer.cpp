#include "ice/gather/gatherer.hpp"

#include <algorithm>

#include "ice/gather/gather_state.hpp"
#include "ice/gather/relay_policy.hpp"
#include "protocol/demux.hpp"

namespace nat::ice {

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

void gatherer::add_mapped(const endpoint& base, const endpoint& external, const endpoint& gateway,
                          std::string via, duration took) {
  state_->add_mapped(base, external, gateway, std::move(via), took);
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
