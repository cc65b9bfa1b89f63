// Messages through channels: queueing, back-pressure, fragments and reassembly (RFC 8831, 6.6).

#include "protocol/datachannel/state.hpp"

namespace nat::datachannel {
namespace {

// SCTP can't carry nothing: an empty message is one octet and a PPID of its own.
constexpr std::byte empty_message[1]{};

payload kind_of(bool binary, bool empty) {
  if (binary) return empty ? payload::binary_empty : payload::binary;
  return empty ? payload::text_empty : payload::text;
}

}  // namespace

bool connection::state::send(channel_id id, byte_view data, bool binary) {
  const auto found = channels.find(id);
  if (ended || ending || peer_gone || found == channels.end() || found->second.closing) {
    return false;
  }
  auto& c = found->second;
  if (config.remote_max_message_size != 0 && data.size() > config.remote_max_message_size) {
    return false;
  }
  sctp::delivery how;
  how.stream = id;
  how.protocol_id = static_cast<std::uint32_t>(kind_of(binary, data.empty()));
  how.unordered = !c.options.ordered && c.acknowledged;
  how.max_retransmits = c.options.max_retransmits;
  how.max_lifetime_ms = c.options.max_lifetime_ms;
  if (data.empty()) data = empty_message;

  // Nothing is ahead: straight into the association. What it doesn't take is kept, so that a
  // message is never refused halfway; until it is up, as much as its buffer would hold.
  std::size_t taken = 0;
  if (queue.empty() && association) taken = association->send(how, data, true, now);
  if (taken == data.size()) return true;
  const bool room = taken > 0 || (!established_told && queued + data.size() <= config.send_buffer);
  if (!room) {
    c.wants_room = true;
    return false;
  }
  queued += data.size() - taken;
  c.queued += data.size() - taken;
  queue.push_back({id, how, to_bytes(data.subspan(taken)), 0});
  return true;
}

void connection::state::flush_queue() {
  while (association && !queue.empty()) {
    auto& front = queue.front();
    const auto rest = byte_view(front.data).subspan(front.taken);
    const auto taken = association->send(front.how, rest, true, now);
    if (taken == 0) return;
    front.taken += taken;
    queued -= taken;
    const auto id = front.id;
    const auto found = channels.find(id);
    if (found != channels.end()) found->second.queued -= taken;
    if (front.taken == front.data.size()) queue.pop_front();
    if (found != channels.end() && found->second.closing && found->second.queued == 0) {
      ask_reset(id, found->second);
    }
  }
}

void connection::state::handle_piece(const sctp::received& piece) {
  if (assembling.size() + piece.data.size() > config.max_message_size) {
    fail(failure::protocol, "receive: the peer's message exceeds the announced maximum size");
    return;
  }
  const auto kind = static_cast<payload>(piece.protocol_id);
  assembling.insert(assembling.end(), piece.data.begin(), piece.data.end());
  if (!piece.end || kind == payload::binary_partial || kind == payload::text_partial) return;
  deliver(piece.stream, kind);
  assembling = {};
}

void connection::state::deliver(channel_id id, payload kind) {
  if (kind == payload::dcep) {
    handle_dcep(id, assembling);
    return;
  }
  const bool binary = kind == payload::binary || kind == payload::binary_empty;
  const bool text = kind == payload::text || kind == payload::text_empty;
  const auto found = channels.find(id);
  if ((!binary && !text) || found == channels.end() || found->second.incoming_reset) return;
  if (kind == payload::binary_empty || kind == payload::text_empty) assembling.clear();
  found->second.acknowledged = true;  // RFC 8832, 6: any message says that OPEN has arrived
  undelivered += assembling.size();
  events.emplace_back(message{id, binary, std::move(assembling)});
}

}  // namespace nat::datachannel
