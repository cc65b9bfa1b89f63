#include "tests/sim/host.hpp"

#include <algorithm>

#include "protocol/base/ensure.hpp"

namespace nat::sim {

std::vector<address> host::add_interface(network& n, const link_rules& link, bool v4, bool v6) {
  auto& added = *interfaces_.emplace_back(std::make_unique<interface>(*this, n, link));
  if (v4) added.addresses.push_back(n.next_v4());
  if (v6) added.addresses.push_back(n.next_v6());
  for (const auto& a : added.addresses) n.attach(added, a);
  return added.addresses;
}

std::vector<address> host::addresses() const {
  std::vector<address> all;
  for (const auto& i : interfaces_) all.insert(all.end(), i->addresses.begin(), i->addresses.end());
  return all;
}

address host::v4() const {
  for (const auto& a : addresses()) {
    if (a.v4) return a;
  }
  ensure(false);
  return {};
}

address host::v6() const {
  for (const auto& a : addresses()) {
    if (!a.v4) return a;
  }
  ensure(false);
  return {};
}

link_rules& host::link(const address& a) {
  auto* found = interface_of(a);
  ensure(found != nullptr);
  return found->link;
}

void host::set_up(const address& a, bool up) {
  auto* found = interface_of(a);
  ensure(found != nullptr);
  found->up = up;
}

endpoint host::bind(node& owner, const address& a, std::uint16_t port) {
  ensure(interface_of(a) != nullptr);
  const endpoint local{a, port != 0 ? port : free_port(a)};
  ensure(sockets_.emplace(local, &owner).second);
  return local;
}

void host::close(const endpoint& local) {
  sockets_.erase(local);
  listeners_.erase(local);
}

void host::listen(node& owner, const endpoint& local) {
  ensure(interface_of(local.ip) != nullptr && listeners_.emplace(local, &owner).second);
}

endpoint host::connect(node& owner, const address& local, const endpoint& remote,
                       std::uint32_t id) {
  const connection c{{local, free_port(local)}, remote};
  streams_[c] = stream{&owner, id};
  if (!emit({.proto = transport::tcp,
             .source = c.first,
             .destination = remote,
             .tcp = segment::syn})) {
    fabric_.at(fabric_.now, [this, c] {
      if (const auto at = streams_.find(c); at != streams_.end()) closed(at);
    });
  }
  return c.first;
}

void host::disconnect(const path& p) {
  const auto at = streams_.find({p.local, p.remote});
  if (at == streams_.end()) return;
  send_segment(at->first, segment::fin, {}, at->second.sent);
  streams_.erase(at);
}

void host::send(node& from, const transmit& t) {
  if (t.via.proto == transport::tcp) {
    const auto at = streams_.find({t.via.local, t.via.remote});
    if (at != streams_.end()) {
      send_segment(at->first, segment::data, t.data, at->second.sent++);
    }
    return;
  }
  const auto step = t.segment_size != 0 ? t.segment_size : std::max<std::size_t>(t.data.size(), 1);
  for (std::size_t at = 0; at < std::max<std::size_t>(t.data.size(), 1); at += step) {
    const auto part = byte_view(t.data).subspan(at, std::min(step, t.data.size() - at));
    packet p{.source = t.via.local, .destination = t.via.remote, .data = to_bytes(part)};
    p.hop_limit = t.hop_limit.value_or(p.hop_limit);
    if (!emit(std::move(p))) from.handle_send_failure(t.via, fabric_.now);
  }
}

bool host::emit(packet p) {
  auto* by = interface_of(p.source.ip);
  if (auto* self = interface_of(p.destination.ip); by != nullptr && self != nullptr) {
    fabric_.at(fabric_.now, [this, self, p]() mutable { receive(*self, std::move(p)); });
    return true;
  }
  return by != nullptr && by->up && by->on->send(*by, std::move(p));
}

void host::receive(interface& by, packet p) {
  if (!by.up) return;
  ++fabric_.counters.delivered;
  if (p.proto == transport::udp) {
    receive_datagram(by, p);
  } else {
    receive_segment(by, std::move(p));
  }
}

void host::receive_datagram(interface& by, const packet& p) {
  const auto at = sockets_.find(p.destination);
  if (at != sockets_.end()) {
    const path from{transport::udp, p.destination, p.source};
    if (p.unreachable) return at->second->handle_send_failure(from, fabric_.now);
    return at->second->handle_datagram(from, p.data, fabric_.now);
  }
  ++fabric_.counters.port_closed;
  if (p.unreachable || !answers_closed_ports) return;
  by.on->send(by, packet{.source = p.destination, .destination = p.source, .unreachable = true});
}

void host::receive_segment(interface& by, packet p) {
  const auto at = streams_.find({p.destination, p.source});
  if (at == streams_.end()) {
    if (p.tcp == segment::syn && listeners_.contains(p.destination)) return accept(p);
    if (p.tcp == segment::reset) return;
    by.on->send(by, packet{.proto = transport::tcp,
                           .source = p.destination,
                           .destination = p.source,
                           .tcp = segment::reset});
    return;
  }
  if (p.tcp == segment::reset) return closed(at);
  if (p.tcp == segment::syn_ack) {
    return at->second.owner->handle_stream_opened({transport::tcp, p.destination, p.source},
                                                  at->second.id, fabric_.now);
  }
  if (p.tcp == segment::syn) return;
  at->second.early.emplace(p.sequence, std::move(p));
  const auto key = at->first;
  for (auto s = streams_.find(key); s != streams_.end(); s = streams_.find(key)) {
    const auto next = s->second.early.find(s->second.received);
    if (next == s->second.early.end()) return;
    const auto ready = std::move(next->second);
    s->second.early.erase(next);
    ++s->second.received;
    deliver(s, ready);
  }
}

void host::accept(const packet& p) {
  const connection c{p.destination, p.source};
  auto* owner = listeners_.at(p.destination);
  streams_[c] = stream{owner, 0};
  emit({.proto = transport::tcp,
        .source = c.first,
        .destination = c.second,
        .tcp = segment::syn_ack});
  owner->handle_stream_opened({transport::tcp, c.first, c.second}, 0, fabric_.now);
}

void host::deliver(std::map<connection, stream>::iterator at, const packet& p) {
  if (p.tcp == segment::fin) return closed(at);
  at->second.owner->handle_datagram({transport::tcp, p.destination, p.source}, p.data, fabric_.now);
}

void host::closed(std::map<connection, stream>::iterator at) {
  const auto [c, s] = *at;
  streams_.erase(at);
  s.owner->handle_stream_closed({transport::tcp, c.first, c.second}, s.id, fabric_.now);
}

void host::send_segment(const connection& c, segment what, byte_view data, std::uint64_t sequence) {
  emit({.proto = transport::tcp,
        .source = c.first,
        .destination = c.second,
        .data = to_bytes(data),
        .tcp = what,
        .sequence = sequence});
}

host::interface* host::interface_of(const address& a) const {
  for (const auto& i : interfaces_) {
    if (std::ranges::find(i->addresses, a) != i->addresses.end()) return i.get();
  }
  return nullptr;
}

std::uint16_t host::free_port(const address& a) const {
  for (std::uint16_t port = 40000; port < 65535; ++port) {
    const endpoint e{a, port};
    const bool streaming =
        std::ranges::any_of(streams_, [&](const auto& s) { return s.first.first == e; });
    if (!sockets_.contains(e) && !streaming) return port;
  }
  ensure(false);
  return 0;
}

}  // namespace nat::sim
