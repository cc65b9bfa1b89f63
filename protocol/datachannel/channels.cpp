// Opening channels by DCEP (RFC 8832) and closing them by stream reset (RFC 8831, 6.7).

#include <algorithm>

#include "protocol/datachannel/state.hpp"

namespace nat::datachannel {

std::optional<channel_id> connection::state::open(const channel_options& options) {
  if (ended || ending || peer_gone || channels.size() >= config.max_channels) return std::nullopt;
  if (options.label.size() > max_name_bytes || options.protocol.size() > max_name_bytes) {
    return std::nullopt;
  }
  // RFC 8832, 6: the DTLS client takes even identifiers, the server odd ones.
  std::uint32_t id = config.role == dtls_role::client ? 0 : 1;
  while (channels.contains(static_cast<channel_id>(id))) id += 2;
  if (id >= streams) return std::nullopt;
  const auto chosen = static_cast<channel_id>(id);
  channels[chosen].options = options;
  send_control(chosen, make_open(options));
  return chosen;
}

void connection::state::send_control(channel_id id, bytes message) {
  auto& c = channels.at(id);
  c.queued += message.size();
  queued += message.size();
  sctp::delivery how;
  how.stream = id;
  how.protocol_id = static_cast<std::uint32_t>(payload::dcep);
  queue.push_back({id, how, std::move(message), 0});
  flush_queue();
}

void connection::state::close(channel_id id) {
  const auto found = channels.find(id);
  if (found == channels.end() || found->second.closing) return;
  found->second.closing = true;
  if (found->second.queued == 0) ask_reset(id, found->second);
}

void connection::state::ask_reset(channel_id id, channel& c) {
  if (c.reset_asked || !association) return;
  c.reset_asked = true;
  association->reset_stream(id, now);
}

void connection::state::handle_up(const sctp::up& up) {
  streams = std::min(streams, std::min(up.outgoing_streams, up.incoming_streams));
  if (!established_told) {
    established_told = true;
    events.emplace_back(established{});
  }
  std::erase_if(channels, [&](const auto& entry) {
    const bool impossible = entry.first >= streams;
    if (impossible) events.emplace_back(channel_closed{entry.first});
    return impossible;
  });
}

void connection::state::handle_reset(const sctp::streams_reset& reset) {
  auto ids = reset.streams;
  if (ids.empty()) {  // RFC 6525, 4.1: an empty list means all streams
    for (const auto& [id, c] : channels) ids.push_back(id);
  }
  for (const auto id : ids) {
    const auto found = channels.find(id);
    if (found == channels.end()) continue;
    auto& c = found->second;
    (reset.incoming ? c.incoming_reset : c.outgoing_reset) = true;
    if (reset.incoming && !c.closing) close(id);
    erase_if_closed(id);
  }
}

void connection::state::erase_if_closed(channel_id id) {
  const auto& c = channels.at(id);
  if (!c.incoming_reset || !c.outgoing_reset) return;
  channels.erase(id);
  events.emplace_back(channel_closed{id});
}

void connection::state::handle_dcep(channel_id id, byte_view message) {
  const auto found = channels.find(id);
  if (is_ack(message)) {
    if (found == channels.end() || found->second.by_peer || found->second.acknowledged) return;
    found->second.acknowledged = true;
    events.emplace_back(channel_opened{id, found->second.options, false});
    return;
  }
  const auto options = parse_open(message);
  const bool peers_parity = (id % 2 == 0) != (config.role == dtls_role::client);
  const bool acceptable = options && peers_parity && found == channels.end() && !ending &&
                          id < streams && channels.size() < config.max_channels;
  if (!acceptable) {  // RFC 8832, 6: "MUST close the corresponding data channel"
    if (found == channels.end() && association) association->reset_stream(id, now);
    if (found != channels.end()) close(id);
    return;
  }
  channels[id] = {.options = *options, .by_peer = true, .acknowledged = true};
  events.emplace_back(channel_opened{id, *options, true});
  send_control(id, make_ack());
}

}  // namespace nat::datachannel
