// Data between client and peer: RFC 8656, 11 and 12. No allocation of memory, no text.

#include "protocol/base/big_endian.hpp"
#include "stun/turn/channel_data.hpp"
#include "stun/turn/server_state.hpp"

namespace nat::turn {
namespace {

constexpr std::uint16_t type_xor_peer_address = 0x0012, type_data = 0x0013;
constexpr std::uint16_t type_data_indication = 0x0017;

std::uint8_t padding_of(std::size_t size) {
  return static_cast<std::uint8_t>((4 - size % 4) % 4);
}

void write_channel_header(to_client& out, std::uint16_t number) {
  const byte_span header(out.header_octets);
  store_be(header, 0, number);
  store_be(header, 2, static_cast<std::uint16_t>(out.data.size()));
  out.header_size = channel_header_size;
  // RFC 8656, 12.5: padded over streams only.
  out.padding = out.via.proto == transport::tcp ? padding_of(out.data.size()) : std::uint8_t{0};
}

// A Data indication but for the data itself, which the header's last field announces. Its
// transaction means nothing: it is never answered.
void write_indication_header(to_client& out, const endpoint& peer) {
  const byte_span h(out.header_octets);
  const std::size_t address_size = peer.ip.v4 ? 4 : 16;
  const auto xor_size = 4 + address_size;
  out.padding = padding_of(out.data.size());
  out.header_size = static_cast<std::uint8_t>(stun::header_size + 4 + xor_size + 4);
  store_be(h, 0, type_data_indication);
  store_be(h, 2,
           static_cast<std::uint16_t>(out.header_size - stun::header_size + out.data.size() +
                                      out.padding));
  store_be(h, 4, stun::magic_cookie);
  for (std::size_t i = 8; i < stun::header_size; ++i) h[i] = std::byte{0};
  store_be(h, 20, type_xor_peer_address);
  store_be(h, 22, static_cast<std::uint16_t>(xor_size));
  store_be(h, 24, static_cast<std::uint16_t>(peer.ip.v4 ? 1 : 2));
  store_be(h, 26, static_cast<std::uint16_t>(peer.port ^ (stun::magic_cookie >> 16)));
  // RFC 8489, 14.2: against cookie and transaction, octet by octet: header octets 4 to 19.
  for (std::size_t i = 0; i < address_size; ++i) h[28 + i] = peer.ip.octets[i] ^ h[4 + i];
  store_be(h, 28 + address_size, type_data);
  store_be(h, 30 + address_size, static_cast<std::uint16_t>(out.data.size()));
}

// What fits a Data indication's 16-bit length with its other attributes.
constexpr std::size_t max_data = 65535 - 48;

}  // namespace

forward server::state::relay_channel_data(const path& from, byte_view datagram, time_point now) {
  const auto parsed = parse_channel_data(datagram);
  if (!parsed) {
    ++counted.malformed;
    return {};
  }
  const auto* a = find(from);
  if (a == nullptr || a->expires <= now) {
    ++counted.no_allocation;
    return {};
  }
  const auto* c = a->channel_by(parsed->number, now);
  if (c == nullptr) {
    ++counted.no_permission;
    return {};
  }
  return relay_out(*a, c->peer, c->own, parsed->payload, false, now);
}

forward server::state::relay_send(const path& from, stun::message_view message, time_point now) {
  const auto* a = find(from);
  if (a == nullptr || a->expires <= now) {
    ++counted.no_allocation;
    return {};
  }
  const auto peer = message.get<stun::attr::xor_peer_address>();
  const auto data = message.get<stun::attr::data>();
  std::array<std::uint16_t, 1> unknown;
  if (!peer || !data || message.unknown_required(unknown) > 0) {
    ++counted.malformed;
    return {};
  }
  const auto* allowed = a->permission_for(peer->ip, now);
  if (allowed == nullptr) {
    ++counted.no_permission;
    return {};
  }
  return relay_out(*a, *peer, allowed->own, *data, message.has<stun::attr::dont_fragment>(), now);
}

forward server::state::relay_out(const allocation& a, const endpoint& peer, bool own,
                                 byte_view data, bool dont_fragment, time_point now) {
  const auto id = a.relay_for(peer.ip);
  if (id == no_relay || relays[id].is != relay::status::open || peer.port == 0) {
    ++counted.no_permission;
    return {};
  }
  const auto count = [&] {
    ++counted.packets_to_peers;
    counted.bytes_to_peers += data.size();
  };
  if (!own) {
    count();
    return to_peer{id, peer, data, dont_fragment};
  }
  // Another allocation of ours: handed over inside. Nothing else on our own addresses is reached.
  if (const auto at = by_relayed.find(peer); at != by_relayed.end()) {
    count();
    return handle_peer(at->second, relays[id].announced, data, now);
  }
  // One of another server of this program, through the kernel: where it is bound.
  const auto bound = books.bound_at({peer.ip.v4, peer.port});
  if (bound && announced(*bound) == peer.ip) {
    count();
    return to_peer{id, {*bound, peer.port}, data, dont_fragment};
  }
  ++counted.no_permission;
  return {};
}

// A relayed address of another server of this program by the address that clients know; anything
// else unchanged. Looks no further where the two are one, or it is no address of this machine.
endpoint server::state::as_announced(const endpoint& peer) const {
  const auto known = announced(peer.ip);
  if (known == peer.ip) return peer;
  if (std::ranges::find(config.peers.own, peer.ip) == config.peers.own.end()) return peer;
  return books.bound_at({peer.ip.v4, peer.port}) == peer.ip ? endpoint{known, peer.port} : peer;
}

forward server::state::handle_peer(relay_id id, const endpoint& from, byte_view data,
                                   time_point now) {
  if (id >= relays.size() || relays[id].is != relay::status::open ||
      relays[id].owner == no_allocation) {
    ++counted.no_allocation;
    return {};
  }
  const auto peer = as_announced(from);
  const auto& a = *allocations[relays[id].owner];
  if (a.expires <= now) {
    ++counted.no_allocation;
    return {};
  }
  if (a.permission_for(peer.ip, now) == nullptr || data.size() > max_data) {
    ++counted.no_permission;
    return {};
  }
  to_client out;
  out.via = a.client;
  out.data = data;
  if (const auto* c = a.channel_to(peer, now)) {
    write_channel_header(out, c->number);
  } else {
    write_indication_header(out, peer);
  }
  ++counted.packets_to_clients;
  counted.bytes_to_clients += data.size();
  return out;
}

}  // namespace nat::turn
