#include "peer-cli/session/pipe.hpp"

#include "tests/peer-cli/session/two_links.hpp"

using namespace nat;
using namespace nat::session;
using session::test::end;
using session::test::two_links;

namespace {

// A pipe over two links, with a reader that can be stopped.
struct piped {
  struct side {
    std::optional<session::pipe> through;
    bytes to_send, got;
    std::size_t sent = 0;
    bool reads = true, ended = false;
  };

  piped() {
    net.introduce();
    net.deliver_answer();
    attach(net.a, left);
    attach(net.b, right);
    REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
    left.through.emplace(*net.a.over.open({.label = pipe_label}, net.now));
    REQUIRE(net.run_until([&] { return right.through.has_value(); }));
  }

  void attach(end& at, side& one) {
    at.on_event = [this, &at, &one](link_event& event) {
      if (const auto* const opened = std::get_if<datachannel::channel_opened>(&event)) {
        if (opened->by_peer) one.through.emplace(opened->id);
      } else if (auto* const message = std::get_if<datachannel::message>(&event)) {
        one.through->received(std::move(*message), &at.over, net.now);
      } else if (std::holds_alternative<datachannel::writable>(event)) {
        one.through->handle_writable(at.over, net.now);
      } else if (std::holds_alternative<datachannel::channel_closed>(event)) {
        one.through->handle_closed();
      }
    };
  }

  void move(end& at, side& one) {
    while (one.through->wants_input() && !one.ended) {
      const auto size = std::min(session::pipe::chunk, one.to_send.size() - one.sent);
      const auto piece = byte_view(one.to_send).subspan(one.sent, size);
      one.sent += size;
      if (size != 0) {
        one.through->input(to_bytes(piece), at.over, net.now);
      } else {
        one.ended = true;
        one.through->end_input(at.over, net.now);
      }
    }
    while (one.reads && one.through->front()) {
      const auto& data = *one.through->front();
      one.got.insert(one.got.end(), data.begin(), data.end());
      one.through->written(&at.over, net.now);
    }
  }

  bool run_until(const std::function<bool()>& done, duration limit = std::chrono::seconds{120}) {
    return net.run_until(
        [&] {
          move(net.a, left);
          move(net.b, right);
          return done();
        },
        limit);
  }

  [[nodiscard]] bool finished() const {
    return left.through->finished(net.a.over) && right.through->finished(net.b.over);
  }

  two_links net;
  side left, right;
};

bytes noise(std::size_t size, std::uint64_t seed) {
  bytes out(size);
  nat::test::seeded_random(seed).fill(out);
  return out;
}

}  // namespace

TEST_CASE("pipe: both directions arrive whole and in order, and both ends finish") {
  piped p;
  p.left.to_send = noise(3'000'001, 1);
  p.right.to_send = noise(777, 2);
  REQUIRE(p.run_until([&] { return p.finished(); }));
  CHECK(p.right.got == p.left.to_send);
  CHECK(p.left.got == p.right.to_send);
  CHECK(p.right.through->output_complete());
}

TEST_CASE("pipe: the end of one direction leaves the other open") {
  piped p;
  p.right.to_send = noise(2'000'000, 3);  // the left side ends at once
  REQUIRE(p.run_until([&] { return p.right.through->output_complete(); }));
  REQUIRE(p.run_until([&] { return p.finished(); }));
  CHECK(p.left.got == p.right.to_send);
}

TEST_CASE("pipe: a reader that stops makes the sender wait, in bounded memory") {
  piped p;
  p.right.reads = false;
  p.left.to_send = noise(20'000'000, 4);
  CHECK_FALSE(p.run_until([&] { return p.left.ended; }, std::chrono::seconds{20}));
  // What has left the source is in the two ends' buffers: channel, window, and output.
  CHECK(p.left.sent <= 6'000'000);
  p.right.reads = true;
  REQUIRE(p.run_until([&] { return p.finished(); }));
  CHECK(p.right.got == p.left.to_send);
}

TEST_CASE("pipe: a reader that goes away closes the channel, and the sender stops") {
  piped p;
  p.left.to_send = noise(10'000'000, 5);
  REQUIRE(p.run_until([&] { return p.right.got.size() > 100'000; }));
  p.right.through->abandon(p.net.b.over, p.net.now);
  REQUIRE(p.run_until([&] { return p.left.through->closed(); }));
  CHECK_FALSE(p.left.through->wants_input());
}

TEST_CASE("pipe: loss and no byte lost") {
  piped p;
  nat::test::seeded_random dice(7);
  p.net.drop = [&](byte_view) { return random_below(dice, 100) < 5; };
  p.left.to_send = noise(1'000'000, 6);
  p.right.to_send = noise(300'000, 7);
  REQUIRE(p.run_until([&] { return p.finished(); }, std::chrono::seconds{600}));
  CHECK(p.right.got == p.left.to_send);
  CHECK(p.left.got == p.right.to_send);
}

TEST_CASE("messages that are still on their way when the link is over are taken") {
  session::pipe p(0);
  const time_point now{};
  const bytes data(5, std::byte{'x'});
  p.received({0, true, data}, nullptr, now);
  p.received({0, true, {}}, nullptr, now);
  REQUIRE(p.front());
  CHECK(*p.front() == data);
  CHECK(p.remote_ended());
  p.written(nullptr, now);
  CHECK(p.output_complete());
  CHECK(p.received_bytes() == 5);
}
