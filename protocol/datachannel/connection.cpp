#include "protocol/datachannel/connection.hpp"

#include <utility>

#include "protocol/datachannel/state.hpp"

namespace nat::datachannel {
namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

failure to_failure(dtls::failure why) {
  switch (why) {
    case dtls::failure::fingerprint_mismatch:
      return failure::fingerprint_mismatch;
    case dtls::failure::timeout:
      return failure::timeout;
    default:
      return failure::handshake;
  }
}

}  // namespace

void connection::state::step(time_point when) {
  now = when;
  if (ended) return;
  look_at_dtls();
  receive();
  if (ended) return;
  flush_queue();
  emit_writable();
  if (ending && !shutdown_sent && queue.empty()) {
    shutdown_sent = true;
    if (established_told) {
      association->shutdown(now);
    } else {
      end_in_order();
    }
  }
}

void connection::state::look_at_dtls() {
  while (const auto plain = secure.poll_received(now)) {
    if (!association) start_association();
    association->handle_packet(*plain, now);
  }
  switch (secure.state()) {
    case dtls::state::connected:
      if (!association) start_association();
      break;
    case dtls::state::failed:
      fail(to_failure(secure.why()), secure.detail());
      break;
    case dtls::state::closed:
      peer_gone = true;  // receive() ends it when all that came before has been read
      break;
    case dtls::state::handshaking:
      break;
  }
}

void connection::state::start_association() {
  if (!std::exchange(secured_told, true)) {
    events.emplace_back(secured{secure.cipher(), secure.peer()});
  }
  sctp::association_config c;
  c.local_port = config.local_sctp_port;
  c.remote_port = config.remote_sctp_port;
  c.streams = streams;
  c.initial_rtt = config.initial_rtt;
  c.mtu = secure.max_plaintext();
  c.send_buffer = config.send_buffer;
  c.receive_buffer = config.receive_buffer;
  association.emplace(c, now);
  association->connect(now);
  flush_queue();
}

void connection::state::receive() {
  if (read_all() && peer_gone && !ended) end_in_order();
}

// False: there may be more, but nobody takes it.
bool connection::state::read_all() {
  while (association && !ended) {
    if (paused || undelivered >= config.receive_buffer) return false;
    const auto happened = association->read(now);
    if (!happened) break;
    handle(*happened);
  }
  return true;
}

void connection::state::handle(const sctp::event& happened) {
  std::visit(overloaded{[&](const sctp::received& piece) { handle_piece(piece); },
                        [&](const sctp::receive_aborted&) { assembling.clear(); },
                        [&](const sctp::up& up) { handle_up(up); },
                        [&](const sctp::streams_reset& reset) { handle_reset(reset); },
                        [&](const sctp::down& down) {
                          if (down.why == sctp::down::reason::timeout) {
                            fail(failure::timeout, "deliver: the peer stopped acknowledging");
                          } else if (down.why == sctp::down::reason::protocol) {
                            fail(failure::protocol, "agree with the peer on SCTP");
                          } else {
                            end_in_order();
                          }
                        }},
             happened);
}

void connection::state::end_in_order() {
  if (std::exchange(ended, true)) return;
  // The last packets (SHUTDOWN ACK, SHUTDOWN COMPLETE) go before close_notify.
  while (association) {
    const auto packet = association->poll_packet();
    if (!packet) break;
    secure.send(*packet);
  }
  secure.close();
  events.emplace_back(closed{});
}

void connection::state::fail(failure why, std::string detail) {
  if (std::exchange(ended, true)) return;
  if (association) {
    association->abort(now);
    while (const auto packet = association->poll_packet()) secure.send(*packet);
  }
  secure.close();
  events.emplace_back(failed{why, std::move(detail)});
}

bool connection::state::has_room() const {
  return queue.empty() && association && association->outstanding() <= config.send_buffer / 2;
}

void connection::state::emit_writable() {
  if (!established_told || !has_room()) return;
  for (auto& [id, c] : channels) {
    if (std::exchange(c.wants_room, false)) events.emplace_back(writable{id});
  }
}

connection::connection(connection_config config, const dtls::certificate& own, random_source&,
                       time_point now)
    : state_(std::make_unique<state>(std::move(config), own, now)) {}
connection::~connection() = default;
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;

void connection::handle_datagram(byte_view datagram, time_point now) {
  auto& s = *state_;
  if (s.ended) return;
  s.secure.handle_datagram(datagram, now);
  s.step(now);
}

void connection::handle_timeout(time_point now) {
  auto& s = *state_;
  s.secure.handle_timeout(now);
  if (s.association) s.association->handle_timeout(now);
  s.step(now);
}

std::optional<channel_id> connection::open(const channel_options& options, time_point now) {
  state_->now = now;
  return state_->open(options);
}

bool connection::send(channel_id id, byte_view data, bool binary, time_point now) {
  state_->now = now;
  return state_->send(id, data, binary);
}

std::size_t connection::buffered(channel_id id) const {
  const auto found = state_->channels.find(id);
  if (found == state_->channels.end()) return 0;
  return found->second.queued + (state_->association ? state_->association->outstanding(id) : 0);
}

void connection::pause(time_point now) {
  state_->now = now;
  state_->paused = true;
}

void connection::resume(time_point now) {
  state_->paused = false;
  state_->step(now);
}

void connection::close(channel_id id, time_point now) {
  state_->now = now;
  state_->close(id);
}

void connection::shutdown(time_point now) {
  state_->ending = true;
  state_->step(now);
}

void connection::abort(time_point now) {
  auto& s = *state_;
  if (s.ended) return;
  s.now = now;
  if (s.association) s.association->abort(now);
  s.end_in_order();
}

void connection::set_rtt(duration rtt, time_point) {
  state_->config.initial_rtt = rtt;
  state_->secure.set_rtt(rtt);
}

bool connection::ended_by_peer() const {
  return state_->peer_gone;
}

std::optional<batch> connection::poll_transmit() {
  auto& s = *state_;
  while (s.association && !s.ended) {
    const auto packet = s.association->poll_packet();
    if (!packet) break;
    s.secure.send(*packet);
  }
  return s.secure.poll_transmit();
}

std::optional<event> connection::poll_event() {
  auto& s = *state_;
  if (s.events.empty()) {
    s.receive();
    s.emit_writable();
  }
  if (s.events.empty()) return std::nullopt;
  if (s.paused && std::holds_alternative<message>(s.events.front())) return std::nullopt;
  auto out = std::move(s.events.front());
  s.events.pop_front();
  if (const auto* m = std::get_if<message>(&out)) s.undelivered -= m->data.size();
  return out;
}

std::optional<time_point> connection::next_timeout() const {
  const auto& s = *state_;
  if (s.ended) return std::nullopt;
  auto due = s.secure.next_timeout();
  if (s.association) due = earlier(due, s.association->next_timeout());
  return due;
}

}  // namespace nat::datachannel
