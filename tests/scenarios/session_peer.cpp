#include "tests/scenarios/session_peer.hpp"

#include <algorithm>

namespace nat::scenarios {
namespace {

constexpr std::int64_t unix_start = 1'800'000'000;  // as sim::relay_node's
constexpr std::size_t message_size = 16'000;

std::byte octet_at(std::size_t i) {
  return static_cast<std::byte>((i * 31 + i / 251) & 0xff);
}

}  // namespace

office::office(sim::world& w, const endpoint& server, std::string turn_secret, duration delay)
    : world_(w),
      server_(server),
      delay_(delay),
      registry_(limits_, w.chance()),
      guessers_(w.chance()),
      exchange_(0, limits_, announcement_, registry_, guessers_) {
  announcement_.urls = {"stun:" + to_string(server), "turn:" + to_string(server)};
  announcement_.turn_secret = std::move(turn_secret);
  exchange_.handle_unix_time(unix_start);
}

// TCP's handshake and the upgrade: two round trips.
void office::open(session_peer& p, session::signaling_id id) {
  world_.after(4 * delay_, [this, &p, id] {
    if (unreachable) return p.peer().signaling_closed(id, "connection refused", world_.now());
    const auto slot = exchange_.connect({p.address(), server_.ip, world_.now()}, world_.now());
    clients_[slot] = {&p, id};
    p.peer().signaling_opened(id, {}, world_.now());
  });
}

void office::text(session_peer& p, session::signaling_id id, std::string what) {
  if (loses && loses(p, what)) return;
  world_.after(delay_, [this, from = connection{&p, id}, what = std::move(what)] {
    const auto at =
        std::ranges::find(clients_, from, [](const auto& client) { return client.second; });
    if (at == clients_.end()) return;
    if (!refuses.empty() && what.contains(R"("type":"register")")) {
      return tell(from, R"({"type":"error","code":")" + refuses +
                            R"(","message":"Not now.","request":"register"})");
    }
    exchange_.handle_text(at->first, what, world_.now());
    flush();
  });
}

void office::close(session_peer& p, session::signaling_id id) {
  world_.after(delay_, [this, from = connection{&p, id}] {
    const auto at =
        std::ranges::find(clients_, from, [](const auto& client) { return client.second; });
    if (at == clients_.end()) return;
    exchange_.handle_closed(at->first, hub::ending::clean, world_.now());
    clients_.erase(at);
    flush();
  });
}

void office::cut(session_peer& p) {
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (at->second.first != &p) {
      ++at;
      continue;
    }
    const auto id = at->second.second;
    exchange_.handle_closed(at->first, hub::ending::unclean, world_.now());
    at = clients_.erase(at);
    p.peer().signaling_closed(id, "cut", world_.now());
  }
  flush();
}

void office::flush() {
  while (const auto out = exchange_.poll_output()) {
    const auto to = clients_.at(out->slot);
    if (out->what == hub::output::type::text) {
      tell(to, std::string(out->payload));
    } else if (out->what == hub::output::type::close) {
      exchange_.handle_closed(out->slot, hub::ending::unclean, world_.now());
      clients_.erase(out->slot);
      world_.after(delay_, [this, to] {
        to.first->peer().signaling_closed(to.second, "closed by the server", world_.now());
      });
    }
  }
}

void office::tell(const connection& to, std::string text) {
  world_.after(delay_, [this, to, text = std::move(text)] {
    to.first->peer().signaling_received(to.second, text, world_.now());
  });
}

session_peer::session_peer(sim::world& w, sim::host& h, office& o, session::peer_config config)
    : world_(w), host_(h), office_(o), peer_(std::move(config), certificate_, w.chance(), w.now()) {
  std::uint16_t preference = 65535;
  for (const auto& a : h.addresses()) peer_.add_socket(h.bind(*this, a), preference--, w.now());
  w.attach(h, *this);
}

session_peer::~session_peer() {
  world_.detach(*this);
}

void session_peer::handle_datagram(const path& from, byte_view data, time_point now) {
  peer_.handle_datagram(from, data, now);
}
void session_peer::handle_send_failure(const path& via, time_point now) {
  peer_.handle_send_failure(via, now);
}
void session_peer::handle_stream_opened(const path& via, std::uint32_t id, time_point now) {
  peer_.stream_opened(id, via, now);
}
void session_peer::handle_stream_closed(const path&, std::uint32_t id, time_point now) {
  peer_.stream_closed(id, "closed", now);
}
void session_peer::handle_timeout(time_point now) {
  peer_.handle_timeout(now);
}

std::optional<transmit> session_peer::poll_transmit() {
  drain(world_.now());
  return peer_.poll_transmit(world_.now());
}

std::optional<time_point> session_peer::next_timeout() const {
  return earlier(peer_.next_timeout(), pinger_ ? pinger_->next_timeout() : std::nullopt);
}

void session_peer::drain(time_point now) {
  for (bool more = true; more;) {
    more = false;
    while (const auto r = peer_.poll_request(now)) carry_out(*r), more = true;
    while (const auto e = peer_.poll_event(now)) note(*e, now), more = true;
    ping(now);
  }
}

void session_peer::carry_out(const session::request& r) {
  if (const auto* connect = std::get_if<session::signaling_connect>(&r)) {
    office_.open(*this, connect->id);
  } else if (const auto* text = std::get_if<session::signaling_send>(&r)) {
    office_.text(*this, text->id, text->text);
  } else if (const auto* left = std::get_if<session::signaling_disconnect>(&r)) {
    office_.close(*this, left->id);
  } else if (const auto* open = std::get_if<ice::open_stream>(&r)) {
    host_.connect(*this, host_.v4(), open->remote, open->id);
  } else if (const auto* gone = std::get_if<ice::close_stream>(&r)) {
    host_.disconnect(gone->via);
  }
}

void session_peer::note(const session::peer_event& e, time_point now) {
  if (std::holds_alternative<session::registered>(e)) {
    log_.registered = now;
    log_.registrations.push_back(now);
  } else if (const auto* lost = std::get_if<session::signaling_lost>(&e)) {
    log_.losses.push_back(*lost);
  } else if (const auto* kept = std::get_if<session::signaling_not_refreshed>(&e)) {
    log_.not_refreshed.push_back(*kept);
  } else if (std::holds_alternative<session::link_started>(e)) {
    log_.offered = now;
  } else if (const auto* found = std::get_if<session::path_found>(&e)) {
    if (!log_.path) log_.path = now;
    log_.paths.emplace_back(now, found->path);
  } else if (std::holds_alternative<session::channel_secured>(e)) {
    log_.secured = now;
  } else if (std::holds_alternative<session::link_ready>(e)) {
    log_.ready = now;
    start(now);
  } else if (const auto* opened = std::get_if<datachannel::channel_opened>(&e)) {
    if (pings || echo_.takes(*opened, *peer_.current(), now)) return;
    channel_ = opened->id;
    send_more(now);
  } else if (std::holds_alternative<datachannel::writable>(e)) {
    send_more(now);
  } else if (const auto* m = std::get_if<datachannel::message>(&e)) {
    take(*m, now);
  } else if (const auto* ended = std::get_if<session::link_ended>(&e)) {
    log_.ended = true;
    if (ended->why) log_.failure = ended->why;
  } else if (const auto* failure = std::get_if<session::failure>(&e)) {
    log_.failure = *failure;
  }
}

void session_peer::take(const datachannel::message& m, time_point now) {
  auto* link = peer_.current();
  if (pinger_ && link != nullptr) return pinger_->handle_message(m, *link, now);
  if (link != nullptr && echo_.answer(m, *link, now)) return;
  for (const auto octet : m.data) log_.whole = log_.whole && octet == octet_at(log_.received++);
}

void session_peer::start(time_point now) {
  auto* link = peer_.current();
  if (link == nullptr || !peer_.config().target) return;
  if (pings) {
    channel_ = link->open(session::ping_channel(), now);
    pinger_.emplace(*pings, *channel_, random_u64(world_.chance()), now);
  } else if (to_send > 0) {
    channel_ = link->open({.label = "scenario"}, now);
    send_more(now);
  }
}

void session_peer::ping(time_point now) {
  if (!pinger_) return;
  if (auto* link = peer_.current()) pinger_->advance(*link, now);
  while (auto one = pinger_->poll_result()) log_.round_trips.push_back(std::move(*one));
}

void session_peer::send_more(time_point now) {
  auto* link = peer_.current();
  while (link != nullptr && channel_ && sent_ < to_send) {
    bytes block(std::min(message_size, to_send - sent_));
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = octet_at(sent_ + i);
    if (!link->send(*channel_, block, true, now)) return;
    sent_ += block.size();
  }
}

}  // namespace nat::scenarios
