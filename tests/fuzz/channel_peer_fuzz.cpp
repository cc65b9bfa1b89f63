// A peer that got through DTLS and SCTP and then does what RFC 8831 and 8832 forbid: any message on
// any stream with any PPID, resets, and aborts. Input: operations of a kind octet, a stream octet,
// a PPID octet, a length octet and that many octets of payload.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "protocol/base/ensure.hpp"
#include "protocol/datachannel/connection.hpp"
#include "protocol/dtls/connection.hpp"
#include "protocol/sctp/association.hpp"

namespace {

using namespace nat;
using namespace std::chrono_literals;

struct fixed_random final : random_source {
  void fill(byte_span out) override { std::ranges::fill(out, std::byte{0x5a}); }
};

constexpr std::size_t max_channels = 4, max_message = 1'000;

struct scene {
  static const dtls::certificate& own() {
    static const dtls::certificate c;
    return c;
  }
  static const dtls::certificate& hostile() {
    static const dtls::certificate c;
    return c;
  }
  static datachannel::connection_config config() {
    datachannel::connection_config c;
    c.role = datachannel::dtls_role::server;
    c.remote = hostile().fingerprint();
    c.max_channels = max_channels;
    c.max_message_size = max_message;
    c.receive_buffer = 64U << 10;
    return c;
  }

  time_point now{1h};
  fixed_random random;
  datachannel::connection victim{config(), own(), random, now};
  dtls::connection secure{{dtls::role::client, own().fingerprint()}, hostile(), now};
  sctp::association association{{.mtu = 1'163}, now};
  std::size_t open = 0;
  bool over = false, connected = false;

  void exchange() {
    for (bool any = true; any;) {
      any = false;
      while (const auto packet = association.poll_packet()) any |= secure.send(*packet);
      while (const auto batch = secure.poll_transmit()) {
        any = true;
        const std::size_t step = batch->segment_size ? batch->segment_size : batch->data.size();
        for (std::size_t at = 0; at < batch->data.size(); at += step) {
          victim.handle_datagram(
              byte_view(batch->data).subspan(at, std::min(step, batch->data.size() - at)), now);
        }
      }
      while (const auto batch = victim.poll_transmit()) {
        any = true;
        const std::size_t step = batch->segment_size ? batch->segment_size : batch->data.size();
        for (std::size_t at = 0; at < batch->data.size(); at += step) {
          take(byte_view(batch->data).subspan(at, std::min(step, batch->data.size() - at)));
        }
      }
      while (const auto event = victim.poll_event()) judge(*event);
      while (association.read(now)) {
      }
    }
  }
  void take(byte_view datagram) {
    secure.handle_datagram(datagram, now);
    while (const auto plain = secure.poll_received(now)) association.handle_packet(*plain, now);
    if (secure.state() == dtls::state::connected && !std::exchange(connected, true)) {
      association.connect(now);
    }
  }
  void judge(const datachannel::event& event) {
    ensure(!over);  // nothing follows the end
    if (const auto* m = std::get_if<datachannel::message>(&event)) {
      ensure(m->data.size() <= max_message);
    } else if (std::holds_alternative<datachannel::channel_opened>(event)) {
      ensure(++open <= max_channels);
    } else if (std::holds_alternative<datachannel::channel_closed>(event)) {
      ensure(open-- > 0);
    }
    over = std::holds_alternative<datachannel::closed>(event) ||
           std::holds_alternative<datachannel::failed>(event);
  }
};

// A handshake costs a millisecond, so a replay lets several inputs share one; a fuzzer, which wants
// to repeat a single input, gets a fresh one each time.
scene& stage() {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  constexpr int inputs_per_scene = 1;
#else
  constexpr int inputs_per_scene = 16;
#endif
  static std::unique_ptr<scene> current;
  static int used = 0;
  if (!current || current->over || ++used == inputs_per_scene) {
    current.reset();
    current = std::make_unique<scene>();
    current->exchange();
    used = 0;
  }
  return *current;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  auto& s = stage();
  while (input.size() >= 4 && !s.over) {
    const auto kind = std::to_integer<unsigned>(input[0]);
    sctp::delivery how;
    how.stream = std::to_integer<std::uint16_t>(input[1]);
    how.protocol_id = std::to_integer<std::uint32_t>(input[2]);
    how.unordered = (kind & 8U) != 0;
    const auto length = std::min(std::to_integer<std::size_t>(input[3]), input.size() - 4);
    const auto payload = to_bytes(input.subspan(4, length));
    switch (kind & 7U) {
      case 6:
        s.association.reset_stream(how.stream, s.now);
        break;
      case 7:
        if (kind == 0xff) s.association.abort(s.now);
        if (kind == 0xef) s.association.shutdown(s.now);
        break;
      default: {
        bytes repeated;
        for (unsigned i = 0; i <= (kind & 7U); ++i) {
          repeated.insert(repeated.end(), payload.begin(), payload.end());
        }
        (void)s.association.send(how, repeated, true, s.now);
      }
    }
    s.exchange();
    s.now += 20ms;
    s.association.handle_timeout(s.now);
    s.victim.handle_timeout(s.now);
    s.exchange();
    input = input.subspan(4 + length);
  }
  return 0;
}
