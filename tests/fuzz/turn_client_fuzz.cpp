// A TURN client between a caller and a server that both do as the input says.

#include <array>
#include <vector>

#include "protocol/base/ensure.hpp"
#include "stun/turn/channel_data.hpp"
#include "stun/turn/client.hpp"
#include "tests/fuzz/turn_answers.hpp"

using namespace nat;

namespace {

struct harness {
  explicit harness(fuzz::input& in)
      : client({.server = via(in),
                .username = "u",
                .password = "p",
                .wanted = static_cast<turn::families>(in.below(3)),
                .dont_fragment = in.below(2) == 1,
                .await_approval = in.below(2) == 1,
                .max_permissions = 4,
                .max_channels = 3,
                .max_outbox = 20},
               random, now) {}

  path via(fuzz::input& in) {
    wire = {in.below(2) == 1 ? transport::tcp : transport::udp, *parse_endpoint("10.0.0.1:5000"),
            *parse_endpoint("198.51.100.1:3478")};
    return wire;
  }

  // `data`, where the client gives some, points into what was handed in.
  void receive(byte_view datagram) {
    const auto taken = client.handle_datagram(wire, datagram, now);
    if (!taken.data) return;
    ensure(taken.ours && !client.finished());
    const auto& data = taken.data->data;
    ensure(data.empty() || (data.data() >= datagram.data() &&
                            data.data() + data.size() <= datagram.data() + datagram.size()));
    ensure(client.relayed(taken.data->relayed.ip.v4) == taken.data->relayed);
  }

  void drain() {
    std::size_t count = 0;
    while (auto out = client.poll_transmit()) {
      ensure(++count < 200 && out->via == wire && !out->data.empty());
      requests.push_back(std::move(out->data));
    }
    if (requests.size() > 8) requests.erase(requests.begin(), requests.end() - 8);
    for (count = 0; client.poll_event();) ensure(++count < 200);
  }

  // Time never stands still: a deadline that was served is gone.
  void advance(duration by) {
    now += by;
    if (const auto due = client.next_timeout(); due && *due <= now) client.handle_timeout(now);
    if (const auto next = client.next_timeout()) ensure(*next > now);
    ensure(!client.finished() || !client.next_timeout());
  }

  void wrap(fuzz::input& in) {
    const auto peer = fuzz::peer_of(in);
    const auto data = in.some();
    std::vector<std::byte> room(data.size() + turn::client::overhead);
    const bool could = client.relayed(peer.ip.v4).has_value();
    if (const auto out = client.wrap(peer, data, room, now)) {
      ensure(could && out->size() > data.size() && out->size() <= room.size());
    }
  }

  fuzz::counting_random random;
  time_point now{};
  path wire;
  turn::client client;
  std::vector<bytes> requests;
};

void step(harness& h, fuzz::input& in) {
  switch (in.below(14)) {
    case 0:
      return h.receive(in.some());
    case 1:
    case 2:
    case 3:
    case 4: {
      h.drain();
      if (h.requests.empty()) return;
      const auto which = in.below(static_cast<unsigned>(h.requests.size()));
      const auto answer = fuzz::answer(h.requests[h.requests.size() - 1 - which], in);
      if (answer) h.receive(*answer);
      return;
    }
    case 5:
      return h.advance(in.wait());
    case 6:
      return h.client.permit(fuzz::peer_of(in).ip, h.now);
    case 7:
      return h.client.bind_channel(fuzz::peer_of(in), h.now);
    case 8: {
      const auto peer = fuzz::peer_of(in);
      const auto data = in.some();
      (void)h.client.send(peer, data, h.now, in.octet());
      return;
    }
    case 9:
      return h.wrap(in);
    case 10:
      return h.drain();
    case 11:
      return h.client.approve(h.now);
    case 12:
      if (in.octet() == 7) h.client.release(h.now);
      if (in.octet() == 7) h.client.handle_stream_closed(h.now);
      return;
    case 13: {
      std::array<std::byte, 300> buffer;
      const auto data = in.some();
      const auto number = static_cast<std::uint16_t>(turn::first_channel + in.below(4));
      if (const auto wire = turn::write_channel_data(buffer, number, data, true)) h.receive(*wire);
      return;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, std::min<std::size_t>(size, 2000));
  harness h(in);
  while (!in.empty()) step(h, in);
  h.drain();
  // Whatever happened, a release comes to its end.
  h.client.release(h.now);
  for (int i = 0; i < 50 && !h.client.finished(); ++i) {
    h.advance(std::chrono::seconds{1});
    h.drain();
  }
  ensure(h.client.finished());
  return 0;
}
