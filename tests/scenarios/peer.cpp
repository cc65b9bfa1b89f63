#include "tests/scenarios/peer.hpp"

namespace nat::scenarios {
namespace {

// What DTLS application data begins with (RFC 7983).
constexpr std::array<std::byte, 32> payload{std::byte{23}};

ice::credentials draw_credentials(random_source& random) {
  auto ufrag = random_text(random, 8);
  return {std::move(ufrag), random_text(random, 24)};
}

ice::agent_config agent_config_of(const peer_options& options, random_source& random) {
  auto config = options.agent;
  config.initial_role = options.role;
  config.local = draw_credentials(random);
  return config;
}

}  // namespace

const char* to_string(path_kind k) {
  return k == path_kind::direct ? "direct" : k == path_kind::relay ? "relay" : "none";
}

path_kind kind_of(const ice::connected& c) {
  const auto relayed = ice::candidate_kind::relayed;
  return c.local.kind == relayed || c.remote.kind == relayed ? path_kind::relay : path_kind::direct;
}

peer::peer(sim::world& w, sim::host& h, peer_options o)
    : world_(w), host_(h), options_(std::move(o)), gatherer_(options_.gather, w.chance(), w.now()) {
  w.attach(h, *this);
}

peer::~peer() {
  world_.detach(*this);
}

void peer::start() {
  for (const auto& a : host_.addresses()) add_interface(a);
  for (const auto& s : options_.servers) gatherer_.add_server(s, world_.now());
  gatherer_.end_of_servers(world_.now());
}

void peer::begin(time_point now) {
  if (agent_) return;
  agent_ = std::make_unique<ice::agent>(agent_config_of(options_, world_.chance()), world_.chance(),
                                        now);
  for (const auto& f : found_) agent_->add_local(f.what, now);
  if (gathered_) agent_->end_of_local(now);
}

void peer::add_interface(const address& a) {
  // IPv6 first, then in the order of the interfaces (RFC 8421, 4).
  const auto order = static_cast<std::uint16_t>(found_.size());
  const auto preference = static_cast<std::uint16_t>((a.v4 ? 32767 : 65535) - order);
  gatherer_.add_socket(host_.bind(*this, a), preference, world_.now());
  drain_events(world_.now());
}

void peer::remove_interface(const address& a) {
  std::vector<endpoint> gone;
  for (const auto& f : found_) {
    if (f.what.kind == ice::candidate_kind::host && f.what.base.ip == a) {
      gone.push_back(f.what.base);
    }
  }
  for (const auto& base : gone) {
    gatherer_.remove_socket(base, world_.now());
    agent_->remove_local(base, world_.now());
    host_.close(base);
  }
}

void peer::offer() {
  drain_events(world_.now());
  begin(world_.now());
  description d{agent_->local_credentials(), {}, gathered_};
  for (const auto& f : found_) d.candidates.push_back(f.what);
  described_ = true;
  send_signal(std::move(d));
}

void peer::restart() {
  agent_->restart(draw_credentials(world_.chance()), world_.now());
  for (const auto& f : found_) agent_->add_local(f.what, world_.now());
  if (gathered_) agent_->end_of_local(world_.now());
  offer();
}

void peer::release() {
  gatherer_.release(world_.now());
}

void peer::take(signal s) {
  const auto now = world_.now();
  begin(now);
  if (const auto* d = std::get_if<description>(&s)) {
    agent_->set_remote(d->credentials, now);
    for (const auto& c : d->candidates) add_remote(c, now);
    if (d->complete) agent_->end_of_remote(now);
    if (!described_) offer();
  } else if (const auto* c = std::get_if<ice::candidate>(&s)) {
    add_remote(*c, now);
  } else {
    agent_->end_of_remote(now);
  }
}

void peer::add_remote(const ice::candidate& c, time_point now) {
  gatherer_.permit(c.address.ip, now);
  auto remote = c;
  remote.base = remote.address;
  agent_->add_remote(remote, now);
}

void peer::handle_datagram(const path& from, byte_view data, time_point now) {
  const auto taken = gatherer_.handle_datagram(from, data, now);
  if (!taken.ours) return handle_payload(from, data, now);
  if (taken.from) handle_payload(*taken.from, taken.data, now);
}

void peer::handle_payload(const path& from, byte_view data, time_point now) {
  if (!agent_ || agent_->handle_datagram(from, data, now) || !agent_->is_checked(from)) return;
  agent_->note_received(from, now);
  if (received_++ > 0) longest_gap_ = std::max(longest_gap_, now - last_received_);
  last_received_ = now;
}

void peer::handle_send_failure(const path& p, time_point now) {
  gatherer_.handle_send_failure(p, now);
  if (agent_) agent_->handle_send_failure(p, now);
}

void peer::handle_stream_opened(const path& p, std::uint32_t id, time_point now) {
  gatherer_.stream_opened(id, p, now);
}

void peer::handle_stream_closed(const path&, std::uint32_t id, time_point now) {
  gatherer_.stream_closed(id, "closed", now);
}

void peer::handle_timeout(time_point now) {
  gatherer_.handle_timeout(now);
  if (agent_) agent_->handle_timeout(now);
  if (next_data_ && *next_data_ <= now) send_payload(now);
}

void peer::send_payload(time_point now) {
  next_data_ = now + options_.data_interval;
  const auto via = agent_->selected();
  if (!via || !sending_) return;
  transmit t{*via, to_bytes(payload), 0, std::nullopt};
  agent_->note_sent(*via, now);
  if (gatherer_.is_relayed(via->local)) {
    gatherer_.send(t, now);
  } else {
    outbox_.push_back(std::move(t));
  }
}

std::optional<transmit> peer::poll_transmit() {
  const auto now = world_.now();
  drain_events(now);
  while (auto t = agent_ ? agent_->poll_transmit() : std::nullopt) {
    if (!gatherer_.is_relayed(t->via.local)) return t;
    gatherer_.send(*t, now);
  }
  if (auto t = gatherer_.poll_transmit()) return t;
  if (outbox_.empty()) return std::nullopt;
  auto out = std::move(outbox_.front());
  outbox_.pop_front();
  return out;
}

std::optional<time_point> peer::next_timeout() const {
  const auto agents = agent_ ? agent_->next_timeout() : std::nullopt;
  return earlier(next_data_, earlier(agents, gatherer_.next_timeout()));
}

void peer::drain_events(time_point now) {
  while (auto e = gatherer_.poll_event()) handle(*e, now);
  while (const auto e = agent_ ? agent_->poll_event() : std::nullopt) handle(*e, now);
}

void peer::handle(ice::gather_event& e, time_point now) {
  if (const auto* f = std::get_if<ice::found>(&e)) {
    if (agent_) agent_->add_local(f->what, now);
    found_.push_back(*f);
    if (described_) send_signal(f->what);
  } else if (const auto* open = std::get_if<ice::open_stream>(&e)) {
    for (const auto& a : host_.addresses()) {
      if (a.v4 != open->remote.ip.v4) continue;
      host_.connect(*this, a, open->remote, open->id);
      break;
    }
  } else if (const auto* close = std::get_if<ice::close_stream>(&e)) {
    host_.disconnect(close->via);
  } else if (const auto* gone = std::get_if<ice::lost>(&e)) {
    if (agent_) agent_->remove_local(gone->base, now);
  } else if (auto* silent = std::get_if<ice::server_failed>(&e)) {
    silent_.push_back(std::move(*silent));
  } else {
    gathered_ = true;
    if (agent_) agent_->end_of_local(now);
    if (described_) send_signal(end_of_candidates{});
  }
}

void peer::handle(const ice::event& e, time_point now) {
  if (const auto* c = std::get_if<ice::connected>(&e)) {
    paths_.emplace_back(now, *c);
    now_by_ = kind_of(*c);
    if (gatherer_.is_relayed(c->via.local) && c->nominated) gatherer_.bind_channel(c->via, now);
    if (!next_data_) next_data_ = now;
  } else if (std::holds_alternative<ice::disconnected>(e)) {
    now_by_ = path_kind::none;
    ++disconnections_;
  } else {
    now_by_ = path_kind::none;
    failed_ = true;
  }
}

}  // namespace nat::scenarios
