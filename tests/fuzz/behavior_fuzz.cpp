// A discovery that its input drives: answers from anywhere, with any attributes, late, twice, or
// never. It ends, asks for few sockets, sends few packets, and only to places it was told of.

#include <algorithm>
#include <array>
#include <cstdint>

#include "protocol/base/ensure.hpp"
#include "stun/behavior/discovery.hpp"
#include "stun/behavior/forecast.hpp"
#include "tests/fuzz/input.hpp"

using namespace nat;

namespace {

const endpoint server{make_v4(0xc6336401), 3478}, ours{make_v4(0xcb007109), 5000};

struct run {
  fuzz::input in;
  fuzz::counting_random random;
  time_point now{std::chrono::hours{1000}};
  behavior::discovery finder;
  std::vector<behavior::datagram_out> sent;
  std::size_t sockets = 0;

  run(const std::uint8_t* data, std::size_t size)
      : in(data, size),
        finder({.servers = {server, {make_v4(0xc6336463), 3478}}, .lifetime = flag()}, random,
               now) {}

  bool flag() { return in.below(2) != 0; }
  std::size_t one_of(std::size_t count) { return in.word() % count; }

  void drain() {
    while (const auto wanted = finder.poll_request()) {
      if (const auto* open = std::get_if<behavior::open_socket>(&*wanted)) {
        ensure(++sockets < 200);
        if (in.below(8) == 7) {
          finder.socket_failed(open->id, now);
        } else {
          finder.socket_opened(open->id, {{}, static_cast<std::uint16_t>(5000 + open->id)}, now);
        }
      } else if (std::holds_alternative<behavior::ask_tcp>(*wanted)) {
        finder.handle_tcp(flag(), now);
      }
    }
    while (auto out = finder.poll_transmit(now)) {
      ensure(out->to.ip.v4 && !is_loopback(out->to.ip) && sent.size() < 5000);
      sent.push_back(std::move(*out));
    }
  }

  endpoint somewhere() {
    switch (in.below(4)) {
      case 0:
        return server;
      case 1:
        return {make_v4(0xc6336402), 3479};
      case 2:
        return {make_v4(0x7f000001), 80};
      default:
        return {make_v4(0xcb007109), in.word()};
    }
  }

  // An answer, or what looks like one, to something that was sent.
  void answer() {
    if (sent.empty()) return;
    const auto& asked = sent[one_of(sent.size())];
    if (in.below(8) == 0) {  // our own request
      finder.handle_datagram(asked.through, ours.ip, somewhere(), asked.data, now);
      return;
    }
    std::array<std::byte, 256> room;
    const bool refused = in.below(8) == 0;
    stun::message_writer writer(room, refused ? stun::binding_error : stun::binding_success,
                                stun::message_view::parse(asked.data)->id());
    if (refused) writer.put<stun::attr::error_code>({420, {}});
    if (in.below(8) != 0) writer.put<stun::attr::xor_mapped_address>(somewhere());
    if (flag()) writer.put<stun::attr::other_address>(somewhere());
    const auto at = flag() ? asked.through : one_of(sockets + 1);
    const auto from = flag() ? asked.to : somewhere();
    finder.handle_datagram(at, ours.ip, from, *writer.finish(), now);
  }

  void step() {
    switch (in.below(4)) {
      case 0:
        if (const auto next = finder.next_timeout()) now = std::max(now, *next);
        finder.handle_timeout(now);
        break;
      case 1:
        if (!sent.empty()) {
          const auto& asked = sent[one_of(sent.size())];
          finder.handle_unreachable(asked.through, asked.to, now);
        }
        break;
      default:
        answer();
    }
    drain();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run r(data, size);
  r.drain();
  while (!r.in.empty() && !r.finder.finished()) r.step();
  for (int i = 0; !r.finder.finished(); ++i) {
    ensure(i < 20'000 && r.finder.next_timeout());
    r.now = std::max(r.now, *r.finder.next_timeout());
    r.finder.handle_timeout(r.now);
    r.drain();
  }
  const auto v = r.finder.verdict();
  (void)behavior::classic_name(v);
  (void)behavior::advise(behavior::profile_of(v));
  ensure(std::ranges::none_of(v.external, [](const address& a) { return !a.v4; }));
  return 0;
}
