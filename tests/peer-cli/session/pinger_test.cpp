#include "peer-cli/session/pinger.hpp"

#include "peer-cli/session/echo.hpp"
#include "tests/peer-cli/session/two_links.hpp"

using namespace nat;
using namespace nat::session;
using session::test::two_links;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t run_name = 0x0123'4567'89ab'cdef;

// a pings, b echoes.
struct pinged {
  explicit pinged(ping_config config) {
    net.introduce();
    net.deliver_answer();
    net.b.on_event = [this](link_event& event) {
      if (const auto* const opened = std::get_if<datachannel::channel_opened>(&event)) {
        if (opened->by_peer) taken = answers.takes(*opened, net.b.over, net.now);
      } else if (const auto* const message = std::get_if<datachannel::message>(&event)) {
        if (!mute) kinds.push_back(answers.answer(*message, net.b.over, net.now));
      }
    };
    net.a.on_event = [this](link_event& event) {
      const auto* const message = std::get_if<datachannel::message>(&event);
      if (message && pings) pings->handle_message(*message, net.a.over, net.now);
    };
    REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
    channel = net.a.over.open(ping_channel(), net.now);
    REQUIRE(channel);
    pings.emplace(config, *channel, run_name, net.now);
  }

  // Virtual time moves by the links' own timers and the pinger's.
  bool run(duration limit = 60s) {
    const auto end = net.now + limit;
    while (!pings->finished() && net.now < end) {
      pings->advance(net.a.over, net.now);
      while (auto result = pings->poll_result()) results.push_back(std::move(*result));
      const auto next = pings->next_timeout().value_or(end);
      const auto until = std::min(next, end);
      net.run_until(
          [&] {
            while (auto result = pings->poll_result()) results.push_back(std::move(*result));
            return pings->finished();
          },
          until - net.now);
      net.now = std::max(net.now, until);
    }
    return pings->finished();
  }

  two_links net;
  echo answers;
  bool taken = false, mute = false;
  std::vector<std::optional<echo::kind>> kinds;
  std::optional<datachannel::channel_id> channel;
  std::optional<pinger> pings;
  std::vector<round_trip> results;
};

}  // namespace

TEST_CASE("ping: each round trip takes the wire's time, over the path that it says") {
  pinged p({.count = 5, .interval = 100ms});
  REQUIRE(p.run());
  CHECK(p.taken);
  REQUIRE(p.results.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto& one = p.results[i];
    CHECK(one.number == i + 1);
    REQUIRE((one.took && one.way));
    CHECK(*one.took == 2 * p.net.delay);
    CHECK_FALSE(is_relayed(*one.way));
    CHECK(one.way->via.remote == p.net.b.address);
  }
  const auto& tally = p.pings->tally();
  CHECK((tally.sent == 5 && tally.answered == 5 && tally.lost == 0 && tally.direct == 5));
  CHECK(tally.times.summarize()->median == 2 * p.net.delay);
  CHECK(p.kinds == std::vector(5, std::optional(echo::kind::ping)));
}

TEST_CASE("ping: what the network loses is lost, and holds nothing back") {
  pinged p({.count = 10, .interval = 100ms, .patience = 1s});
  // The first is under way alone; then every datagram of one interval is dropped.
  const auto began = p.net.now;
  p.net.drop = [&](byte_view) { return p.net.now >= began + 300ms && p.net.now < began + 350ms; };
  REQUIRE(p.run());
  const auto& tally = p.pings->tally();
  CHECK(tally.sent == 10);
  CHECK(tally.lost == 1);
  CHECK(tally.answered == 9);
  REQUIRE(p.results.size() == 10);
  for (const auto& one : p.results) {
    CHECK((one.number == 4) == !one.took);
    if (one.took) CHECK(*one.took == 2 * p.net.delay);
  }
}

TEST_CASE("ping: a peer that does not answer loses all of them, in bounded memory") {
  pinged p({.count = 50, .interval = 10ms, .patience = 10s, .max_in_flight = 8});
  p.mute = true;
  REQUIRE(p.run());
  CHECK(p.pings->tally().lost == 50);
  CHECK(p.results.size() == 50);
  CHECK_FALSE(p.pings->tally().times.summarize());
}

TEST_CASE("ping: answers that nobody asked for are not taken") {
  pinged p({.count = 2, .interval = 50ms, .patience = 1s});
  p.mute = true;
  const auto say = [&](const ping_message& m) {
    p.pings->handle_message({*p.channel, true, write(m)}, p.net.a.over, p.net.now);
  };
  p.pings->advance(p.net.a.over, p.net.now);
  say({run_name + 1, 1});  // another run
  say({run_name, 2});      // not asked yet
  say({run_name, 0});
  CHECK(p.pings->tally().answered == 0);
  p.pings->handle_message({static_cast<datachannel::channel_id>(*p.channel + 2), true,
                           write(ping_message{run_name, 1})},
                          p.net.a.over, p.net.now);
  CHECK(p.pings->tally().answered == 0);
  say({run_name, 1});
  say({run_name, 1});  // twice
  CHECK(p.pings->tally().answered == 1);
}

TEST_CASE("ping: stop makes losses of what is under way") {
  pinged p({.count = std::nullopt, .interval = 1s});
  p.mute = true;
  p.pings->advance(p.net.a.over, p.net.now);
  CHECK_FALSE(p.pings->finished());
  p.pings->stop();
  CHECK(p.pings->finished());
  CHECK_FALSE(p.pings->next_timeout());
  const auto result = p.pings->poll_result();
  REQUIRE(result);
  CHECK_FALSE(result->took);
}

TEST_CASE("ping: messages read as written, and nothing else reads") {
  const auto whole = write(ping_message{run_name, 77});
  REQUIRE(whole.size() == ping_message::size);
  CHECK(read_ping(whole) == ping_message{run_name, 77});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(read_ping(byte_view(whole).first(size)));
  }
  auto other = whole;
  other.push_back({});
  CHECK_FALSE(read_ping(other));
  other = whole;
  other[0] = std::byte{'q'};
  CHECK_FALSE(read_ping(other));
}

TEST_CASE("echo: one channel of each kind, small messages, so many a second") {
  pinged p({.count = 1});
  REQUIRE(p.run());
  auto& link = p.net.b.over;
  const auto again = p.net.a.over.open(ping_channel(), p.net.now);
  REQUIRE(again);
  REQUIRE(p.net.run_until([&] { return p.net.a.find<datachannel::channel_closed>() != nullptr; }));
  CHECK(p.net.a.find<datachannel::channel_closed>()->id == *again);

  const bytes large(echo::max_message_bytes + 1);
  const auto before = link.buffered(*p.channel);
  CHECK(p.answers.answer({*p.channel, true, large}, link, p.net.now) == echo::kind::ping);
  CHECK(link.buffered(*p.channel) == before);
  const bytes small(1);
  for (unsigned i = 0; i < 3 * echo::max_answers_a_second; ++i) {
    static_cast<void>(p.answers.answer({*p.channel, true, small}, link, p.net.now));
  }
  CHECK(link.buffered(*p.channel) - before <= echo::max_answers_a_second);
  CHECK_FALSE(
      p.answers.answer({static_cast<datachannel::channel_id>(99), true, small}, link, p.net.now));
}
