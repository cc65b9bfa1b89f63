// Any bytes as a STUN message: parsed, every attribute asked for, authenticated, and written again.
// What reads back from the copy must be what was read from the original. Both Binding
// servers get the same bytes.

#include <array>
#include <cstdint>

#include "protocol/base/ensure.hpp"
#include "stun/message.hpp"
#include "stun/server.hpp"

using namespace nat;
using namespace nat::stun;

namespace {

constexpr std::string_view key = "VOkJxbRl1RmTxUk/WvJxBt";

template <class Value>
bool same(const Value& a, const Value& b) {
  if constexpr (std::same_as<Value, byte_view>) {
    return std::ranges::equal(a, b);
  } else {
    return a == b;
  }
}

template <attribute A>
void copy_and_compare(const message_view& original) {
  (void)original.get_nth<A>(1);
  const auto value = original.get<A>();
  if (!value) return;
  ensure(original.has<A>());
  static std::array<std::byte, 70'000> room;
  message_writer writer(room, original.type(), original.id());
  writer.put<A>(*value);
  const auto raw = writer.finish();
  // An algorithm's parameters are not kept, everything else is: so it can only shrink.
  ensure(raw && raw->size() <= original.raw().size());
  if constexpr (A::type == attr::fingerprint::type) return;  // that of the copy would differ
  const auto copy = message_view::parse(*raw);
  ensure(copy.has_value() && copy->type() == original.type() && copy->id() == original.id());
  const auto back = copy->template get<A>();
  ensure(back && same<typename A::value>(*back, *value));
}

void ask_server(byte_view raw) {
  std::array<std::byte, max_binding_answer> room;
  const auto out = answer(raw, {make_v4(0xc0000201), 32853}, room);
  if (!out) return;
  const auto request = message_view::parse(raw), reply = message_view::parse(*out);
  ensure(request && request->type() == binding_request);
  ensure(reply && reply->id() == request->id());
  ensure(reply->has<attr::fingerprint>() == request->has<attr::fingerprint>());
}

// At every door: an answer goes back to the host it came from, and is no amplifier.
void ask_behavior_server(byte_view raw) {
  const endpoint from{make_v4(0xc0000201), 32853};
  const behavior_addresses ours{{make_v4(0xcb007101), 3478}, {make_v4(0xcb007102), 3479}};
  std::array<std::byte, max_behavior_answer> room;
  for (const bool ip : {false, true}) {
    const auto out = answer(raw, from, {ip, !ip}, ours, room);
    if (!out) return;
    const auto request = message_view::parse(raw), reply = message_view::parse(out->data);
    ensure(request && request->type() == binding_request);
    ensure(reply && reply->id() == request->id());
    ensure(out->to.ip == from.ip && out->to.port != 0);
    ensure(out->to.port == from.port || request->get<attr::response_port>() == out->to.port);
    ensure(2 * (out->data.size() + 28) <= 3 * (raw.size() + 28));
  }
}

template <attribute... As>
void each(const message_view& view) {
  (copy_and_compare<As>(view), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view raw = std::as_bytes(std::span(data, size));
  if (raw.size() >= 4) (void)stream_message_size(raw.first(4));
  ask_server(raw);
  ask_behavior_server(raw);
  const auto view = message_view::parse(raw);
  if (!view) return 0;
  each<attr::mapped_address, attr::username, attr::message_integrity, attr::error_code,
       attr::unknown_attributes, attr::realm, attr::nonce, attr::message_integrity_sha256,
       attr::password_algorithm, attr::userhash, attr::xor_mapped_address,
       attr::password_algorithms, attr::alternate_domain, attr::software, attr::alternate_server,
       attr::fingerprint, attr::channel_number, attr::lifetime, attr::xor_peer_address, attr::data,
       attr::xor_relayed_address, attr::requested_address_family, attr::even_port,
       attr::requested_transport, attr::dont_fragment, attr::reservation_token,
       attr::additional_address_family, attr::address_error_code, attr::icmp, attr::priority,
       attr::use_candidate, attr::ice_controlled, attr::ice_controlling, attr::nomination,
       attr::change_request, attr::padding, attr::response_port, attr::response_origin,
       attr::other_address>(*view);
  std::array<std::uint16_t, 4> unknown;
  ensure(view->unknown_required(unknown) <= unknown.size());
  const auto verified = view->authenticate(as_bytes(key));
  ensure(!verified || view->has<attr::message_integrity>() ||
         view->has<attr::message_integrity_sha256>());
  return 0;
}
