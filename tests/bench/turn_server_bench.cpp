// What the TURN server itself costs a relayed datagram, sockets aside: ChannelData in and out, with
// one flow and with a thousand, and a challenge to a stranger. The least of many rounds.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "protocol/base/big_endian.hpp"
#include "protocol/crypto/system_random.hpp"
#include "stun/credentials.hpp"
#include "stun/message.hpp"
#include "stun/turn/server.hpp"

using namespace nat;
namespace attr = stun::attr;

namespace {

const endpoint server_at = *parse_endpoint("198.51.100.1:3478");
const endpoint peer = *parse_endpoint("9.9.9.9:4000");

path client(std::size_t i) {
  return {transport::udp,
          server_at,
          {make_v4(0xcb007100U + static_cast<std::uint32_t>(i / 100)),
           static_cast<std::uint16_t>(1000 + i % 100)}};
}

void must(bool holds) {
  if (!holds) std::abort();
}

std::vector<turn::relay_id> drain(turn::server& s, time_point now, std::string* nonce = nullptr) {
  std::vector<turn::relay_id> opened;
  while (const auto e = s.poll_event()) {
    opened.push_back(std::get<turn::open_relay>(*e).relay);
    s.relay_opened(opened.back(), now);
  }
  while (const auto t = s.poll_transmit()) {
    const auto m = stun::message_view::parse(t->data);
    if (nonce != nullptr) *nonce = *m->get<attr::nonce>();
  }
  return opened;
}

template <class Fill>
void ask(turn::server& s, const path& via, stun::method method, const std::string& nonce,
         random_source& random, time_point now, Fill fill) {
  std::array<std::byte, 512> buffer;
  stun::message_writer w(buffer, {method, stun::kind::request}, stun::make_transaction_id(random));
  fill(w);
  const auto key = stun::make_long_term_key(stun::password_algorithm::md5, "u", "rendezvous", "p");
  w.put<attr::username>("u").put<attr::realm>("rendezvous").put<attr::nonce>(nonce);
  must(s.handle_client(via, *w.finish_signed(key.view()), now).ours);
}

template <class Work>
void measure(const char* what, std::size_t flows, Work work) {
  double best = 1e18;
  for (int round = 0; round < 200; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 2000; ++i) work(i % flows);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count() / 2000);
  }
  std::printf("{\"name\":\"turn server: %s, %zu flows\",\"value\":%.1f,\"unit\":\"ns\"}\n", what,
              flows, best);
}

void bench(std::size_t flows) {
  crypto::system_random random;
  const time_point now{std::chrono::hours{1}};
  turn::server_config config;
  config.users = {{"u", "p"}};
  config.limits.max_allocations_per_name = config.limits.max_allocations_per_address = flows;
  config.max_challenges_per_second = 1'000'000'000;
  turn::server s(std::move(config), random, 0, now);
  std::vector<turn::relay_id> relays;
  for (std::size_t i = 0; i < flows; ++i) {
    std::array<std::byte, 64> buffer;
    stun::message_writer w(buffer, {stun::method::allocate, stun::kind::request},
                           stun::make_transaction_id(random));
    std::string nonce;
    must(s.handle_client(client(i), *w.finish(), now).ours);
    drain(s, now, &nonce);
    ask(s, client(i), stun::method::allocate, nonce, random, now,
        [](auto& m) { m.template put<attr::requested_transport>(17); });
    const auto opened = drain(s, now);
    must(opened.size() == 1);
    relays.push_back(opened.front());
    ask(s, client(i), stun::method::channel_bind, nonce, random, now, [](auto& m) {
      m.template put<attr::channel_number>(0x4000).template put<attr::xor_peer_address>(peer);
    });
    drain(s, now);
  }
  bytes message(164);
  store_be(byte_span(message), 0, std::uint16_t{0x4000});
  store_be(byte_span(message), 2, std::uint16_t{160});
  measure("ChannelData to a peer", flows, [&](std::size_t i) {
    must(std::holds_alternative<turn::to_peer>(s.handle_client(client(i), message, now).out));
  });
  measure("a peer's datagram to ChannelData", flows, [&](std::size_t i) {
    must(std::holds_alternative<turn::to_client>(s.handle_peer(relays[i], peer, message, now)));
  });
  std::array<std::byte, 64> buffer;
  stun::message_writer w(buffer, {stun::method::allocate, stun::kind::request},
                         stun::make_transaction_id(random));
  const auto stranger = to_bytes(*w.put<attr::requested_transport>(17).finish());
  measure("challenge to a stranger", flows, [&](std::size_t i) {
    must(s.handle_client(client(i + flows), stranger, now).ours);
    must(s.poll_transmit().has_value());
  });
}

}  // namespace

int main() {
  bench(1);
  bench(1000);
}
