#include "peer-cli/session/bench.hpp"

#include "tests/peer-cli/session/two_links.hpp"

using namespace nat;
using namespace nat::session;
using session::test::two_links;
using namespace std::chrono_literals;

namespace {

// a asks, b answers. The processor's clock of either goes a tenth as fast as the world's.
struct benched {
  benched() {
    net.introduce();
    net.deliver_answer();
    net.b.on_event = [this](link_event& event) {
      if (const auto* const opened = std::get_if<datachannel::channel_opened>(&event)) {
        if (opened->by_peer && listens) answers.takes(*opened, net.b.over, net.now);
      } else if (const auto* const message = std::get_if<datachannel::message>(&event)) {
        if (answers.owns(message->id)) answers.handle_message(*message, net.b.over, clock());
      } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event)) {
        answers.handle_closed(closed->id);
      }
    };
    net.a.on_event = [this](link_event& event) {
      if (const auto* const message = std::get_if<datachannel::message>(&event)) {
        if (asker) asker->handle_message(*message, net.a.over, clock());
        if (const auto what = read_bench(message->data)) said.push_back(*what);
      } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event)) {
        if (asker) asker->handle_closed(closed->id, net.a.over);
        ++closed_channels;
      }
    };
    REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
  }

  [[nodiscard]] bench_clock clock() const { return {net.now, net.now.time_since_epoch() / 10}; }

  void ask(const bench_request& request) { asker.emplace(request, net.a.over, net.now); }

  bool run_until(const std::function<bool()>& done, duration limit = 200s) {
    const auto end = net.now + limit;
    const auto advance = [&] {
      if (asker) asker->advance(net.a.over, clock());
      answers.advance(net.b.over, clock());
      if (auto seen = answers.poll_result()) result = seen;
      return done();
    };
    while (!advance()) {
      if (net.now >= end) return false;
      const auto own =
          earlier(asker ? asker->next_timeout() : std::nullopt, answers.next_timeout());
      const auto until = std::clamp(own.value_or(end), net.now, end);
      if (net.run_until(advance, until - net.now)) return true;
      net.now = std::max(net.now, until);
    }
    return true;
  }
  bool run(duration limit = 200s) {
    return run_until([&] { return asker->finished(); }, limit);
  }

  // What a foreign asker might say, over a channel of his own.
  datachannel::channel_id open_by_hand() {
    datachannel::channel_options options;
    options.label = bench_label;
    return *net.a.over.open(options, net.now);
  }
  void say(datachannel::channel_id id, const bench_message& m) {
    REQUIRE(net.a.over.send(id, write(m), true, net.now));
  }

  two_links net;
  bool listens = true;
  std::optional<bench_asker> asker;
  bench_answer answers;
  std::optional<bench_view> result;
  std::vector<bench_message> said;
  unsigned closed_channels = 0;
};

}  // namespace

TEST_CASE("bench: both ends agree on what went each way") {
  for (const auto& [up, down] : {std::pair{true, false}, {false, true}, {true, true}}) {
    benched b;
    b.ask({up, down, 2s});
    REQUIRE(b.run());
    if (b.asker->why()) FAIL_CHECK(b.asker->why()->message);
    REQUIRE((b.asker->there() && b.result));
    const auto here = b.asker->here(b.net.a.over, b.clock());
    const auto& there = *b.asker->there();
    CHECK(here.sent == there.received);
    CHECK(here.received == there.sent);
    CHECK((here.sent > 1'000'000) == up);
    CHECK((here.received > 1'000'000) == down);
    const auto took = up ? there.receiving : here.receiving;
    CHECK(took >= 1900ms);
    CHECK(took <= 4s);
    CHECK(there.cpu >= 190ms);
    CHECK(there.cpu <= 400ms);
    CHECK(*b.result == *b.asker->there());
  }
}

TEST_CASE("bench: no more than about a second of the line is kept in buffers") {
  benched b;
  b.ask({true, false, 10s});
  std::size_t most = 0;
  const auto look = [&] {
    most = std::max(most, b.net.a.over.buffered(1));
    return false;
  };
  b.net.delay = 2s;  // nothing comes back meanwhile: the rate is unknown
  REQUIRE_FALSE(b.run_until(look, 5s));
  CHECK(b.asker->accepted());
  CHECK(most >= bench_flow::least_ahead);
  CHECK(most <= bench_flow::least_ahead + bench_flow::block);
}

TEST_CASE("bench: through loss the run still ends, and soon after its time") {
  benched b;
  nat::test::seeded_random dice(3);
  b.ask({true, true, 3s});
  REQUIRE(b.run_until([&] { return b.asker->accepted(); }));
  b.net.drop = [&](byte_view) { return random_below(dice, 100) < 2; };
  const auto began = b.net.now;
  REQUIRE(b.run());
  CHECK(b.asker->there());
  CHECK(b.net.now - began < 10s);
}

TEST_CASE("bench: too long is refused, and so is a second run over the same link") {
  benched b;
  b.ask({true, true, max_bench_length + 1ms});
  REQUIRE(b.run(5s));
  REQUIRE(b.asker->why());
  CHECK(b.asker->why()->code == "bench-refused");
  CHECK_FALSE(b.answers.running());

  benched twice;
  const auto id = twice.open_by_hand();
  twice.say(id, bench_request{false, true, 100ms});
  REQUIRE(twice.run_until([&] { return twice.result.has_value(); }, 10s));
  twice.say(id, bench_request{false, true, 100ms});
  REQUIRE(twice.run_until(
      [&] {
        return !twice.said.empty() &&
               twice.said.back() == bench_message(bench_refused{bench_refusal::busy});
      },
      5s));
  CHECK_FALSE(twice.answers.running());
}

TEST_CASE("bench: who breaks the rules is cut off") {
  const bench_message wrong[] = {bench_data{100}, bench_end{}, bench_accepted{}, bench_report{}};
  for (const auto& message : wrong) {  // before any run
    benched b;
    b.say(b.open_by_hand(), message);
    CHECK(b.run_until([&] { return b.closed_channels == 1; }, 5s));
  }
  benched b;  // data where only down was agreed
  const auto id = b.open_by_hand();
  b.say(id, bench_request{false, true, 10s});
  REQUIRE(b.run_until([&] { return b.answers.running(); }, 5s));
  b.say(id, bench_data{1});
  CHECK(b.run_until([&] { return !b.answers.running(); }, 5s));
  CHECK_FALSE(b.result);
}

TEST_CASE("bench: an asker that goes silent does not keep the run for ever") {
  benched b;
  b.say(b.open_by_hand(), bench_request{true, false, 1s});
  REQUIRE(b.run_until([&] { return b.answers.running(); }, 5s));
  CHECK(b.run_until([&] { return !b.answers.running(); }, 1s + bench_answer::grace + 1s));
  CHECK_FALSE(b.result);
}

TEST_CASE("bench: a second channel is closed, and one that may lose is") {
  benched b;
  b.open_by_hand();
  const auto second = b.open_by_hand();
  REQUIRE(b.run_until([&] { return b.closed_channels == 1; }, 5s));
  CHECK(b.net.a.find<datachannel::channel_closed>()->id == second);
  benched lossy;
  datachannel::channel_options options;
  options.label = bench_label;
  options.max_retransmits = 0;
  lossy.net.a.over.open(options, lossy.net.now);
  CHECK(lossy.run_until([&] { return lossy.closed_channels == 1; }, 5s));
}

TEST_CASE("bench: stopped before its time, both ends' views are there") {
  benched b;
  b.ask({true, true, 60s});
  REQUIRE(b.run_until([&] { return b.asker->accepted(); }, 5s));
  REQUIRE_FALSE(b.run(3s));
  b.asker->stop(b.net.a.over, b.clock());
  REQUIRE(b.run(bench_asker::stop_grace));
  REQUIRE(b.asker->there());
  const auto here = b.asker->here(b.net.a.over, b.clock());
  CHECK(here.sent == b.asker->there()->received);
  CHECK(here.received == b.asker->there()->sent);
}

TEST_CASE("bench: a peer that falls silent leaves the asker its own view") {
  benched b;
  b.ask({true, false, 1s});
  REQUIRE(b.run_until([&] { return b.asker->accepted(); }, 5s));
  b.net.b.on_event = nullptr;
  b.answers = {};
  REQUIRE(b.run(1s + bench_asker::grace + 1s));
  CHECK_FALSE(b.asker->there());
  CHECK_FALSE(b.asker->why());
  CHECK(b.asker->here(b.net.a.over, b.clock()).sent > 0);
}

TEST_CASE("bench: a peer that echoes, or closes the channel, is told apart") {
  benched b;
  b.ask({true, true, 1s});
  b.asker->handle_message({0, true, write(bench_request{true, true, 1s})}, b.net.a.over, b.clock());
  CHECK_FALSE(b.asker->finished());  // not our channel
  b.asker->handle_message({1, true, write(bench_request{true, true, 1s})}, b.net.a.over, b.clock());
  REQUIRE(b.asker->why());
  CHECK(b.asker->why()->code == "no-bench");
  benched closer;
  closer.listens = false;
  closer.ask({true, true, 1s});
  closer.asker->handle_closed(1, closer.net.a.over);
  REQUIRE(closer.asker->why());
  CHECK(closer.asker->why()->status == exit_status::peer_absent);
}

TEST_CASE("bench: messages read as written, and are whole or nothing") {
  const bench_view seen{1, 2, 3s, 4s, 5ms, 6};
  const bench_message all[] = {bench_request{true, false, 1500ms},
                               bench_request{true, true, 60s},
                               bench_accepted{},
                               bench_refused{bench_refusal::too_long},
                               bench_data{0},
                               bench_data{1000},
                               bench_end{},
                               bench_stop{},
                               bench_report{seen}};
  for (const auto& message : all) {
    const auto wire = write(message);
    CHECK(read_bench(wire) == message);
    if (std::holds_alternative<bench_data>(message)) continue;
    for (std::size_t size = 0; size < wire.size(); ++size) {
      CHECK_FALSE(read_bench(byte_view(wire).first(size)));
    }
    auto longer = wire;
    longer.push_back({});
    CHECK_FALSE(read_bench(longer));
  }
}

TEST_CASE("bench: what no end would write is not read") {
  for (const auto* text : {"", "00", "08", "ff", "01 02 03 000003e8", "01 01 00 000003e8",
                           "01 01 04 000003e8", "03 00", "03 04"}) {
    CAPTURE(text);
    CHECK_FALSE(read_bench(nat::test::from_hex(text)));
  }
  auto report = write(bench_report{});
  report[17] = std::byte{0xff};  // half a million years
  CHECK_FALSE(read_bench(report));
}
