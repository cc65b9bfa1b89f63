#include <algorithm>
#include <array>
#include <utility>

#include "stun/turn/channel_data.hpp"
#include "stun/turn/client_state.hpp"

namespace nat::turn {
namespace {

constexpr std::size_t max_payload = 65'000;  // of one datagram, wrapped still below UDP's limit
constexpr std::size_t max_batch = 65'000;    // of what one transmit with segments may hold
constexpr std::size_t max_segments = 64;     // UDP_MAX_SEGMENTS of Linux
constexpr std::size_t max_held = 2;          // datagrams for a peer whose permission is under way
constexpr std::size_t max_held_size = 1500;

}  // namespace

// The permission that lets data to `peer` out, asked for on the spot where there is none.
permission* client::state::sendable(const endpoint& peer, byte_view data, time_point now) {
  if (phase_ != phase::allocated || !relayed(peer.ip.v4)) return nullptr;
  if (data.empty() || outbox_.size() >= config_.max_outbox) return nullptr;
  auto* p = peers_.find_permission(peer.ip);
  if (p == nullptr || p->state == grant::wanted) {
    if (want_permission(peer.ip, now) == nullptr) return nullptr;
    flush_wanted(now);
    p = peers_.find_permission(peer.ip);
  }
  if (p->state == grant::refused) return nullptr;
  p->last_used = now;
  return p;
}

std::optional<byte_view> client::state::wrap_one(const endpoint& peer, byte_view data,
                                                 byte_span out) {
  if (data.size() > max_payload) return std::nullopt;
  if (const auto* c = peers_.find_channel(peer); c != nullptr && c->state == grant::active) {
    return write_channel_data(out, c->number, data, stream());
  }
  stun::message_writer message(out, {stun::method::send, stun::kind::indication},
                               stun::make_transaction_id(random_));
  message.put<stun::attr::xor_peer_address>(peer);
  if (config_.dont_fragment) message.put<stun::attr::dont_fragment>({});
  return message.put<stun::attr::data>(data).finish();
}

void client::state::hold(permission& p, byte_view wrapped) {
  if (p.state != grant::asked || p.held.size() >= max_held || wrapped.size() > max_held_size) {
    return;
  }
  p.held.push_back(to_bytes(wrapped));
}

// Equal segments stay equal when they are wrapped, so a batch stays one for the kernel.
bool client::state::send(const endpoint& peer, byte_view data, std::uint16_t segment_size,
                         time_point now) {
  auto* p = sendable(peer, data, now);
  if (p == nullptr) return false;
  const std::size_t step = segment_size == 0 ? data.size() : segment_size;
  if (step > max_payload) return false;
  bytes batch;
  std::size_t wrapped_step = 0, segments = 0;
  const auto flush = [&] {
    const auto size = segments > 1 ? static_cast<std::uint16_t>(wrapped_step) : std::uint16_t{0};
    queue(std::exchange(batch, {}), now, size);
    segments = 0;
  };
  while (!data.empty()) {
    const auto one = data.first(std::min(step, data.size()));
    data = data.subspan(one.size());
    const auto used = batch.size();
    batch.resize(used + one.size() + overhead);
    const auto wrapped = wrap_one(peer, one, byte_span(batch).subspan(used));
    if (!wrapped) return false;
    batch.resize(used + wrapped->size());
    if (segments++ == 0) {
      wrapped_step = wrapped->size();
      hold(*p, *wrapped);
      batch.reserve(
          std::min(max_batch + max_payload, (data.size() / step + 2) * (wrapped_step + overhead)));
    }
    if (segments == max_segments || batch.size() + step + overhead > max_batch) flush();
  }
  if (segments > 0) flush();
  return true;
}

bool client::state::may_send_to_us(const address& peer) {
  const auto* p = peers_.find_permission(peer);
  return p != nullptr && p->state != grant::wanted && p->state != grant::refused;
}

client::consumed client::state::receive(byte_view datagram) {
  consumed out{.ours = true, .data = std::nullopt};
  if (phase_ != phase::allocated) return out;
  const auto message = parse_channel_data(datagram);
  if (!message) {
    ++counters_.malformed;
    return out;
  }
  // A channel that was asked for counts: the answer may be behind the data, or lost.
  const auto* c = peers_.find_channel(message->number);
  if (c == nullptr || c->state == grant::wanted || !relayed(c->peer.ip.v4)) {
    ++counters_.unexpected;
    return out;
  }
  out.data =
      relayed_data{.relayed = *relayed(c->peer.ip.v4), .peer = c->peer, .data = message->payload};
  return out;
}

// RFC 8656, 11.4: nobody signs these; what is not from a peer that was let in is dropped.
std::optional<relayed_data> client::state::read_indication(const stun::message_view& message) {
  const auto from = message.get<stun::attr::xor_peer_address>();
  const auto data = message.get<stun::attr::data>();
  std::array<std::uint16_t, 1> unknown;
  if (!from || !data || message.unknown_required(unknown) > 0) {
    ++counters_.malformed;
    return std::nullopt;
  }
  if (phase_ != phase::allocated || !may_send_to_us(from->ip) || !relayed(from->ip.v4)) {
    ++counters_.unexpected;
    return std::nullopt;
  }
  return relayed_data{.relayed = *relayed(from->ip.v4), .peer = *from, .data = *data};
}

}  // namespace nat::turn
