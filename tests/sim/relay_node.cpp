#include "tests/sim/relay_node.hpp"

namespace nat::sim {

turn::server_config relay_node::default_config() {
  turn::server_config config;
  config.users.push_back({std::string(username), std::string(password)});
  for (const auto range : {"203.0.113.0/24", "2001:db8::/32"}) {
    config.peers.allow.push_back(*turn::parse_prefix(range));
  }
  return config;
}

relay_node::relay_node(world& w, host& h, options o)
    : world_(w),
      host_(h),
      port_(o.port),
      with_turn_(o.turn),
      turn_(
          [&] {
            for (const auto& a : h.addresses()) {
              (a.v4 ? o.config.v4 : o.config.v6) = turn::relay_address{a, a};
            }
            return std::move(o.config);
          }(),
          w.chance(), 1'800'000'000, w.now()) {
  for (const auto& a : h.addresses()) {
    h.bind(*this, a, port_);
    h.listen(*this, {a, port_});
  }
  w.attach(h, *this);
}

void relay_node::handle_datagram(const path& from, byte_view data, time_point now) {
  if (dead_) return;
  if (const auto at = relays_.find(from.local); at != relays_.end()) {
    return queue(turn_.handle_peer(at->second, from.remote, data, now));
  }
  if (with_turn_) {
    auto handled = turn_.handle_client(from, data, now);
    if (handled.ours) return queue(std::move(handled.out));
  }
  std::array<std::byte, stun::max_binding_answer> out;
  if (const auto answer = stun::answer(data, from.remote, out)) {
    ++bindings_;
    outbox_.push_back({from, to_bytes(*answer), 0, std::nullopt});
  }
}

void relay_node::handle_stream_closed(const path& p, std::uint32_t, time_point now) {
  turn_.handle_stream_closed(p, now);
}

void relay_node::queue(turn::forward what) {
  if (const auto* out = std::get_if<turn::to_peer>(&what)) {
    const path via{transport::udp, relay_endpoints_.at(out->relay), out->peer};
    outbox_.push_back({via, to_bytes(out->data), 0, std::nullopt});
  } else if (const auto* in = std::get_if<turn::to_client>(&what)) {
    auto whole = to_bytes(in->header());
    whole.insert(whole.end(), in->data.begin(), in->data.end());
    whole.resize(whole.size() + in->padding);
    outbox_.push_back({in->via, std::move(whole), 0, std::nullopt});
  }
}

void relay_node::handle_events(time_point now) {
  while (const auto e = turn_.poll_event()) {
    if (const auto* open = std::get_if<turn::open_relay>(&*e)) {
      relays_[host_.bind(*this, open->bind.ip, open->bind.port)] = open->relay;
      relay_endpoints_[open->relay] = open->bind;
      turn_.relay_opened(open->relay, now);
    } else {
      const auto at = relay_endpoints_.find(std::get<turn::close_relay>(*e).relay);
      host_.close(at->second);
      relays_.erase(at->second);
      relay_endpoints_.erase(at);
    }
  }
}

std::optional<transmit> relay_node::poll_transmit() {
  handle_events(world_.now());
  if (auto out = turn_.poll_transmit()) return out;
  if (outbox_.empty()) return std::nullopt;
  auto out = std::move(outbox_.front());
  outbox_.pop_front();
  return out;
}

}  // namespace nat::sim
