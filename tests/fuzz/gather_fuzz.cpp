// A gatherer with sockets that come and go, servers that answer as the input says, and streams
// that open and close.

#include <vector>

#include "ice/gather/gatherer.hpp"
#include "protocol/base/ensure.hpp"
#include "tests/fuzz/turn_answers.hpp"

using namespace nat;

namespace {

endpoint base_of(fuzz::input& in) {
  static constexpr std::array<const char*, 6> texts{"192.168.1.5:4000", "10.1.1.1:4001",
                                                    "127.0.0.1:4002",   "[2001:db8::5]:4003",
                                                    "[fe80::5]:4004",   "203.0.113.5:4005"};
  return *parse_endpoint(texts[in.below(texts.size())]);
}

ice::server server_of(fuzz::input& in) {
  static constexpr std::array<const char*, 5> texts{"198.51.100.1:3478", "198.51.100.2:3478",
                                                    "192.168.1.1:3478", "[2001:db8::99]:3478",
                                                    "0.0.0.0:0"};
  const auto flags = in.octet();
  return {.url = "fuzz:",
          .what = (flags & 1) != 0 ? ice::server::kind::turn : ice::server::kind::stun,
          .proto = (flags & 2) != 0 ? transport::tcp : transport::udp,
          .tls = (flags & 4) != 0,
          .address = *parse_endpoint(texts[in.below(texts.size())]),
          .username = "u",
          .password = "p"};
}

struct harness {
  explicit harness(fuzz::input& in)
      : gatherer({.max_servers = 4,
                  .max_sockets = 4,
                  .max_permitted = 3,
                  .relay_only = in.below(4) == 1,
                  .no_relay = in.below(4) == 1,
                  .relay_v6 = in.below(2) == 0},
                 random, now) {}

  void receive(const path& via, byte_view datagram) {
    const auto taken = gatherer.handle_datagram(via, datagram, now);
    if (!taken.from) return;
    ensure(taken.ours && gatherer.is_relayed(taken.from->local));
    ensure(taken.data.empty() ||
           (taken.data.data() >= datagram.data() &&
            taken.data.data() + taken.data.size() <= datagram.data() + datagram.size()));
  }

  void drain() {
    std::size_t count = 0;
    while (auto out = gatherer.poll_transmit()) {
      ensure(++count < 2000 && !out->data.empty());
      requests.push_back(std::move(*out));
    }
    if (requests.size() > 16) requests.erase(requests.begin(), requests.end() - 16);
    for (count = 0;;) {
      const auto event = gatherer.poll_event();
      if (!event) break;
      ensure(++count < 2000);
      if (const auto* open = std::get_if<ice::open_stream>(&*event)) opening.push_back(*open);
      if (const auto* found = std::get_if<ice::found>(&*event)) {
        if (found->what.kind == ice::candidate_kind::relayed) relayed.push_back(found->what.base);
      }
    }
  }

  void advance(duration by) {
    now += by;
    if (const auto due = gatherer.next_timeout(); due && *due <= now) gatherer.handle_timeout(now);
    if (const auto next = gatherer.next_timeout()) ensure(*next > now);
  }

  fuzz::counting_random random;
  time_point now{};
  ice::gatherer gatherer;
  std::vector<transmit> requests;
  std::vector<ice::open_stream> opening;
  std::vector<endpoint> relayed;
};

void answer_request(harness& h, fuzz::input& in) {
  h.drain();
  if (h.requests.empty()) return;
  const auto which = in.below(static_cast<unsigned>(h.requests.size()));
  const auto& request = h.requests[h.requests.size() - 1 - which];
  const auto answer = fuzz::answer(request.data, in);
  if (answer) h.receive(path(request.via), *answer);
}

void use_relay(harness& h, fuzz::input& in) {
  if (h.relayed.empty()) return;
  const path via{transport::udp, h.relayed[in.below(static_cast<unsigned>(h.relayed.size()))],
                 fuzz::peer_of(in)};
  if (in.below(4) == 0) return h.gatherer.bind_channel(via, h.now);
  transmit out{
      .via = via, .data = to_bytes(in.some()), .segment_size = in.octet(), .hop_limit = {}};
  if (h.gatherer.send(out, h.now)) ensure(h.gatherer.may_relay(via.local, via.remote.ip));
}

void use_stream(harness& h, fuzz::input& in) {
  h.drain();
  const std::uint32_t id = h.opening.empty() ? in.octet() : h.opening.back().id;
  if (in.below(3) == 0) return h.gatherer.stream_closed(id, "closed", h.now);
  if (h.opening.empty()) return;
  h.gatherer.stream_opened(
      id, {transport::tcp, {*parse_address("192.168.1.5"), in.word()}, h.opening.back().remote},
      h.now);
}

void step(harness& h, fuzz::input& in) {
  switch (in.below(14)) {
    case 0:
      return h.gatherer.add_socket(base_of(in), in.word(), h.now);
    case 1:
      return h.gatherer.add_server(server_of(in), h.now);
    case 2:
      if (in.below(4) == 0) h.gatherer.remove_socket(base_of(in), h.now);
      return;
    case 3:
      return h.gatherer.end_of_servers(h.now);
    case 4:
    case 5:
    case 6:
    case 7:
      return answer_request(h, in);
    case 8:
      return h.advance(in.wait());
    case 9:
      return h.gatherer.permit(fuzz::peer_of(in).ip, h.now);
    case 10:
      return use_relay(h, in);
    case 11:
      return use_stream(h, in);
    case 12:
      if (!h.requests.empty()) {
        const auto via = h.requests.back().via;
        if (in.below(4) == 0) return h.gatherer.handle_send_failure(via, h.now);
        return h.receive(via, in.some());
      }
      return;
    case 13:
      if (in.octet() == 7) h.gatherer.release(h.now);
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, std::min<std::size_t>(size, 1000));
  harness h(in);
  while (!in.empty()) step(h, in);
  h.drain();
  h.gatherer.release(h.now);
  for (int i = 0; i < 50 && !h.gatherer.released(); ++i) {
    h.advance(std::chrono::seconds{1});
    h.drain();
  }
  ensure(h.gatherer.released());
  return 0;
}
