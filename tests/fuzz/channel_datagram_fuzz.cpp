// Datagrams of somebody who is not the peer, into a server that waits for its peer, a client in its
// handshake, and an established pair. None of them may fail the established pair. Input: datagrams
// with a length octet pair before each.

#include <algorithm>
#include <cstdint>
#include <memory>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/datachannel/connection.hpp"

namespace {

using namespace nat;
using namespace std::chrono_literals;

struct fixed_random final : random_source {
  void fill(byte_span out) override { std::ranges::fill(out, std::byte{0x5a}); }
};

const dtls::certificate& certificate(bool client) {
  static const dtls::certificate both[2];
  return both[client];
}

datachannel::connection make(bool client, time_point now) {
  static fixed_random random;
  datachannel::connection_config config;
  config.role = client ? datachannel::dtls_role::client : datachannel::dtls_role::server;
  config.remote = certificate(!client).fingerprint();
  return {config, certificate(client), random, now};
}

void drain(datachannel::connection& c) {
  while (c.poll_transmit()) {
  }
  while (const auto event = c.poll_event()) {
    ensure(!std::holds_alternative<datachannel::secured>(*event));
    ensure(!std::holds_alternative<datachannel::message>(*event));
  }
}

// Kept from input to input: whatever came before, it must still work.
struct established_pair {
  time_point now{1h};
  datachannel::connection a = make(true, now), b = make(false, now);
  datachannel::channel_id id = a.open({.label = "x"}, now).value();
  std::size_t messages = 0;

  established_pair() { survives(); }

  void exchange() {
    for (bool any = true; any;) {
      any = carry(a, b);
      any |= carry(b, a);
    }
  }
  bool carry(datachannel::connection& from, datachannel::connection& to) {
    bool any = false;
    while (const auto batch = from.poll_transmit()) {
      any = true;
      const std::size_t step = batch->segment_size ? batch->segment_size : batch->data.size();
      for (std::size_t at = 0; at < batch->data.size(); at += step) {
        to.handle_datagram(
            byte_view(batch->data).subspan(at, std::min(step, batch->data.size() - at)), now);
      }
    }
    while (const auto event = from.poll_event()) {
      ensure(!std::holds_alternative<datachannel::failed>(*event));
      ensure(!std::holds_alternative<datachannel::closed>(*event));
      if (std::holds_alternative<datachannel::message>(*event)) ++messages;
    }
    return any;
  }
  void survives() {
    const auto before = messages;
    ensure(a.send(id, as_bytes("still here"), false, now));
    for (int i = 0; i < 4 && messages == before; ++i) {
      exchange();
      now += 50ms;
      a.handle_timeout(now);
      b.handle_timeout(now);
    }
    ensure(messages > before);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static established_pair established;
  time_point now = established.now;
  auto server = make(false, now), client = make(true, now);
  drain(client);
  auto input = std::as_bytes(std::span(data, size));
  while (input.size() > 2) {
    const auto length = std::min<std::size_t>(load_be<std::uint16_t>(input), input.size() - 2);
    const auto datagram = input.subspan(2, length);
    for (auto* c : {&server, &client}) {
      c->handle_datagram(datagram, now);
      drain(*c);
    }
    established.a.handle_datagram(datagram, now);
    established.b.handle_datagram(datagram, now);
    input = input.subspan(2 + length);
  }
  established.survives();
  return 0;
}
