// What the relay costs the client, in nanoseconds a datagram: wrapping and unwrapping, by channel
// and by indication. One JSON line each; the least of many rounds, since the machine may be shared.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "protocol/crypto/system_random.hpp"
#include "stun/message.hpp"
#include "stun/turn/channel_data.hpp"
#include "stun/turn/client.hpp"

using namespace nat;

namespace {

constexpr std::size_t payload = 1200, batch = 50;

// Says yes to everything, without credentials.
void serve(turn::client& client, const path& via, time_point now) {
  while (const auto out = client.poll_transmit()) {
    const auto view = stun::message_view::parse(out->data);
    if (!view || view->type().kind != stun::kind::request) continue;
    std::array<std::byte, 256> buffer;
    stun::message_writer answer(buffer, {view->type().method, stun::kind::success}, view->id());
    if (view->type().method == stun::method::allocate) {
      answer.put<stun::attr::xor_relayed_address>(*parse_endpoint("198.51.100.9:50000"));
    }
    client.handle_datagram(via, *answer.finish(), now);
  }
}

template <class Work>
void measure(const char* what, std::size_t datagrams, Work work) {
  double best = 1e18;
  for (int round = 0; round < 400; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) work();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / 20 / static_cast<double>(datagrams));
  }
  std::printf("{\"name\":\"turn client: %s\",\"value\":%.1f,\"unit\":\"ns\"}\n", what, best);
}

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

int main() {
  crypto::system_random random;
  const time_point now{};
  const path via{transport::udp, *parse_endpoint("10.0.0.1:5000"),
                 *parse_endpoint("198.51.100.1:3478")};
  const auto bound = *parse_endpoint("192.0.2.1:4000"), plain = *parse_endpoint("192.0.2.2:4000");
  turn::client client({.server = via, .username = {}, .password = {}}, random, now);
  serve(client, via, now);
  client.bind_channel(bound, now);
  client.permit(plain.ip, now);
  serve(client, via, now);
  must(client.channel_bound(bound));

  const bytes data(payload * batch, std::byte{1});
  measure("send a batch by channel, each segment", batch, [&] {
    must(client.send(bound, data, now, payload));
    must(client.poll_transmit().has_value());
  });
  measure("send by indication", 1, [&] {
    must(client.send(plain, byte_view(data).first(payload), now));
    must(client.poll_transmit().has_value());
  });
  std::array<std::byte, payload + 64> room;
  measure("wrap by channel", 1,
          [&] { must(client.wrap(bound, byte_view(data).first(payload), room, now).has_value()); });
  std::array<std::byte, payload + 64> wire;
  const auto channel =
      turn::write_channel_data(wire, turn::first_channel, byte_view(data).first(payload), false);
  measure("receive by channel", 1,
          [&] { must(client.handle_datagram(via, *channel, now).data.has_value()); });
  std::array<std::byte, payload + 64> wire2;
  stun::message_writer out(wire2, {stun::method::data, stun::kind::indication}, {});
  const auto indication = out.put<stun::attr::xor_peer_address>(plain)
                              .put<stun::attr::data>(byte_view(data).first(payload))
                              .finish();
  measure("receive by indication", 1,
          [&] { must(client.handle_datagram(via, *indication, now).data.has_value()); });
}
