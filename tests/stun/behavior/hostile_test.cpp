// What strangers and lying servers can do to a discovery: nothing that lasts.

#include <algorithm>

#include "stun/behavior/discovery.hpp"
#include "tests/check.hpp"

using namespace nat;
using namespace nat::behavior;
using namespace std::chrono_literals;

namespace {

const endpoint server = *parse_endpoint("198.51.100.1:3478");
const endpoint ours = *parse_endpoint("203.0.113.9:5000");

struct fixture {
  test::seeded_random random;
  time_point now{1000h};
  discovery finder{{.servers = {server}}, random, now};
  std::size_t sockets = 0;

  // Opens what is asked for and returns all that is to be sent.
  std::vector<datagram_out> drain() {
    while (const auto wanted = finder.poll_request()) {
      if (const auto* open = std::get_if<open_socket>(&*wanted)) {
        ++sockets;
        finder.socket_opened(open->id, {ours.ip, static_cast<std::uint16_t>(5000 + open->id)}, now);
      }
    }
    std::vector<datagram_out> out;
    while (auto one = finder.poll_transmit(now)) out.push_back(std::move(*one));
    return out;
  }

  bytes success(const datagram_out& asked, const endpoint& mapped,
                const std::optional<endpoint>& other = {}) {
    std::array<std::byte, 256> room;
    stun::message_writer writer(room, stun::binding_success,
                                stun::message_view::parse(asked.data)->id());
    writer.put<stun::attr::xor_mapped_address>(mapped);
    if (other) writer.put<stun::attr::other_address>(*other);
    return to_bytes(*writer.finish());
  }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "an OTHER-ADDRESS that leads astray is not followed") {
  const auto asked = drain();
  REQUIRE(asked.size() == 1);
  for (const auto* astray :
       {"127.0.0.1:3479", "10.0.0.1:3479", "192.168.1.1:3479", "100.64.0.1:3479",
        "169.254.1.1:3479", "224.0.0.1:3479", "0.0.0.0:3479", "198.51.100.2:3478",
        "198.51.100.1:3479", "198.51.100.2:0", "[2001:db8::1]:3479", "[::1]:3479",
        "[::ffff:10.0.0.1]:3479"}) {
    CAPTURE(astray);
    CHECK_FALSE(is_plausible_other(server, *parse_endpoint(astray)));
  }
  CHECK(is_plausible_other(server, *parse_endpoint("198.51.100.2:3479")));
  // In a laboratory a server may well be where ours is.
  CHECK(is_plausible_other(*parse_endpoint("127.0.0.1:3478"), *parse_endpoint("127.0.0.2:3479")));
  CHECK(is_plausible_other(*parse_endpoint("10.0.0.1:3478"), *parse_endpoint("10.0.0.2:3479")));
  CHECK_FALSE(
      is_plausible_other(*parse_endpoint("10.0.0.1:3478"), *parse_endpoint("198.51.100.2:3479")));

  now += 30ms;
  CHECK(finder.handle_datagram(0, ours.ip, server,
                               success(asked[0], ours, *parse_endpoint("127.0.0.1:80")), now));
  for (int i = 0; i < 200 && !finder.finished(); ++i) {
    for (const auto& out : drain()) CHECK(out.to == server);
    now = std::max(now, *finder.next_timeout());
    finder.handle_timeout(now);
  }
  CHECK(finder.finished());
}

TEST_CASE_FIXTURE(fixture, "answers count from the place and on the socket they belong to, once") {
  const auto asked = drain();
  const auto good = success(asked[0], ours);
  CHECK_FALSE(finder.handle_datagram(0, ours.ip, *parse_endpoint("198.51.100.7:3478"), good, now));
  CHECK_FALSE(finder.handle_datagram(0, ours.ip, {server.ip, 9}, good, now));
  CHECK_FALSE(finder.handle_datagram(1, ours.ip, server, good, now));
  CHECK_FALSE(finder.handle_datagram(77, ours.ip, server, good, now));
  auto other_id = good;
  other_id[10] ^= std::byte{1};
  CHECK_FALSE(finder.handle_datagram(0, ours.ip, server, other_id, now));
  CHECK(finder.handle_datagram(0, ours.ip, server, good, now));
  CHECK_FALSE(finder.handle_datagram(0, ours.ip, server, good, now));
  CHECK(finder.evidence().at(0).mapped == ours);
}

TEST_CASE_FIXTURE(fixture, "an answer of the other family or with unknown attributes is none") {
  const auto asked = drain();
  CHECK_FALSE(finder.handle_datagram(
      0, ours.ip, server, success(asked[0], *parse_endpoint("[2001:db8::1]:5000")), now));
  std::array<std::byte, 256> room;
  stun::message_writer empty(room, stun::binding_success,
                             stun::message_view::parse(asked[0].data)->id());
  CHECK_FALSE(finder.handle_datagram(0, ours.ip, server, *empty.finish(), now));
  // Our own request, thrown back: no answer, and no hairpin either.
  CHECK_FALSE(finder.handle_datagram(0, ours.ip, server, asked[0].data, now));
}

TEST_CASE_FIXTURE(fixture, "a server that ignores CHANGE-REQUEST does not make a NAT look open") {
  const endpoint other = *parse_endpoint("198.51.100.2:3479");
  for (int i = 0; i < 500 && !finder.finished(); ++i) {
    for (auto all = drain(); !all.empty(); all = drain()) {
      for (const auto& out : all) {  // always from where it was asked
        finder.handle_datagram(out.through, ours.ip, out.to, success(out, ours, other), now);
      }
    }
    if (const auto next = finder.next_timeout()) now = std::max(now, *next);
    finder.handle_timeout(now);
  }
  REQUIRE(finder.finished());
  CHECK(finder.verdict().filtering == dependence::address_and_port);
}

TEST_CASE_FIXTURE(fixture, "a flood changes nothing, and all of a discovery is bounded") {
  std::size_t sent = 0;
  for (int i = 0; i < 1000 && !finder.finished(); ++i) {
    for (auto all = drain(); !all.empty(); all = drain()) {
      for (const auto& out : all) {
        ++sent;
        // Everything comes back a hundred times, each with another mapping.
        for (std::uint16_t copy = 0; copy < 100; ++copy) {
          const endpoint mapped{ours.ip, static_cast<std::uint16_t>(1024 + sent * 100 + copy)};
          finder.handle_datagram(out.through, ours.ip, out.to,
                                 success(out, mapped, *parse_endpoint("198.51.100.2:3479")), now);
        }
      }
    }
    if (const auto next = finder.next_timeout()) now = std::max(now, *next);
    finder.handle_timeout(now);
  }
  CHECK(finder.finished());
  CHECK(sockets <= 48);
  CHECK(sent < 600);
  CHECK(finder.evidence().size() < 64);
}

TEST_CASE("more servers than the limit are not asked, and sockets that fail end nothing") {
  test::seeded_random random;
  const time_point start{1000h};
  discovery many({.servers = std::vector<endpoint>(100, server), .max_servers = 3}, random, start);
  many.socket_opened(std::get<open_socket>(*many.poll_request()).id, ours, start);
  std::size_t asked = 0;
  while (many.poll_transmit(start)) ++asked;
  CHECK(asked == 3);

  discovery without({.servers = {server}}, random, start);
  without.socket_failed(std::get<open_socket>(*without.poll_request()).id, start);
  for (auto now = start; !without.finished() && now < start + 10s;) {
    while (without.poll_request()) {
    }
    CHECK_FALSE(without.poll_transmit(now));
    now = without.next_timeout().value_or(start + 10s);
    without.handle_timeout(now);
  }
  CHECK(without.finished());
  CHECK_FALSE(without.verdict().udp);
}
