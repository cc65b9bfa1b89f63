#include "peer-cli/session/nat_question.hpp"

#include "tests/peer-cli/session/two_links.hpp"

using namespace nat;
using namespace nat::session;
using session::test::two_links;
using namespace std::chrono_literals;

namespace {

// a asks; b is what the test makes of it.
struct asked {
  explicit asked(std::function<void(asked&, link_event&)> answer) {
    net.introduce();
    net.deliver_answer();
    net.b.on_event = [this, does = std::move(answer)](link_event& event) { does(*this, event); };
    net.a.on_event = [this](link_event& event) {
      if (!question) return;
      if (const auto* const message = std::get_if<datachannel::message>(&event)) {
        question->handle_message(*message, net.a.over);
      } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event)) {
        question->handle_closed(closed->id, net.a.over);
      }
    };
    REQUIRE(net.run_until([&] { return net.a.find<link_ready>() && net.b.find<link_ready>(); }));
    question.emplace(net.a.over, net.now);
  }

  [[nodiscard]] bool over() const { return question->answer() || question->why(); }

  // In virtual time.
  bool run() {
    const auto until = *question->next_timeout();
    if (net.run_until([&] { return over(); }, until - net.now)) return true;
    net.now = until;
    question->advance(net.a.over, net.now);
    return over();
  }

  two_links net;
  nat_answerer listener;
  std::optional<nat_asker> question;
};

void listen(asked& a, link_event& event) {
  auto& link = a.net.b.over;
  if (const auto* const opened = std::get_if<datachannel::channel_opened>(&event)) {
    if (opened->by_peer) CHECK(a.listener.takes(*opened, link, a.net.now));
  } else if (const auto* const message = std::get_if<datachannel::message>(&event)) {
    a.listener.handle_message(*message, link, a.net.now);
  } else if (const auto* const closed = std::get_if<datachannel::channel_closed>(&event)) {
    a.listener.handle_closed(closed->id);
  }
}

// What someone sends on the channel that the question came by.
auto replies(std::string text, bool binary) {
  return [text = std::move(text), binary](asked& a, link_event& event) {
    const auto* const message = std::get_if<datachannel::message>(&event);
    if (message) a.net.b.over.send(message->id, as_bytes(text), binary, a.net.now);
  };
}

void expect_refusal(asked& a, const char* code) {
  REQUIRE(a.run());
  REQUIRE(a.question->why());
  CHECK(a.question->why()->code == code);
  CHECK(a.question->why()->status == exit_status::peer_absent);
  CHECK_FALSE(a.question->answer());
  CHECK_FALSE(a.question->next_timeout());
}

}  // namespace

TEST_CASE("nat question: the answer comes when the listener has it, and only once") {
  asked a(listen);
  REQUIRE(a.net.run_until([&] { return a.listener.asked(); }));
  CHECK_FALSE(a.over());
  a.listener.answer("this one", a.net.b.over, a.net.now);
  CHECK_FALSE(a.listener.asked());
  a.listener.answer("not this one", a.net.b.over, a.net.now);
  REQUIRE(a.run());
  CHECK(a.question->answer() == "this one");
  CHECK_FALSE(a.question->why());
  const auto all = a.net.a.events.size();
  a.net.run_until([] { return false; }, 5s);
  for (std::size_t i = all; i < a.net.a.events.size(); ++i) {
    CHECK_FALSE(std::holds_alternative<datachannel::message>(a.net.a.events[i]));
  }
}

TEST_CASE("nat question: whoever says nothing is given up after a time") {
  asked a([](asked&, link_event&) {});
  const auto began = a.net.now;
  expect_refusal(a, "no-answer");
  CHECK(a.net.now - began == nat_asker::patience);
}

TEST_CASE("nat question: whoever closes the channel, as older listeners do, is given up at once") {
  asked a([](asked& self, link_event& event) {
    const auto* const opened = std::get_if<datachannel::channel_opened>(&event);
    if (!opened || !opened->by_peer) return;
    CHECK_FALSE(opened->options.ordered);  // an ordered one would be taken for the pipe
    self.net.b.over.close_channel(opened->id, self.net.now);
  });
  const auto began = a.net.now;
  expect_refusal(a, "no-answer");
  CHECK(a.net.now - began < 1s);
}

TEST_CASE("nat question: an answer that is binary or too large is none; the largest is one") {
  const std::string largest(max_nat_answer_bytes, 'x');
  for (const auto& [text, binary] : {std::pair{largest + 'x', false}, {std::string("x"), true}}) {
    asked a(replies(text, binary));
    expect_refusal(a, "bad-nat-answer");
  }
  asked a(replies(largest, false));
  REQUIRE(a.run());
  CHECK(a.question->answer() == largest);
}

TEST_CASE("nat question: a listener hears one question a link, and no other") {
  asked a(listen);
  REQUIRE(a.net.run_until([&] { return a.listener.asked(); }));
  // A second channel, and a second question on the first.
  const auto second = a.net.a.over.open(nat_channel(), a.net.now);
  REQUIRE(second);
  const auto closed = [&](datachannel::channel_id id) {
    return std::ranges::any_of(a.net.a.events, [&](const link_event& event) {
      const auto* const one = std::get_if<datachannel::channel_closed>(&event);
      return one && one->id == id;
    });
  };
  REQUIRE(a.net.run_until([&] { return closed(*second); }));
  CHECK(a.listener.asked());
  CHECK_FALSE(a.over());
}

TEST_CASE("nat question: what is no question closes the channel, for the rest of the link") {
  asked a(listen);
  REQUIRE(a.net.run_until([&] { return a.listener.asked(); }));
  const auto* const opened = a.net.b.find<datachannel::channel_opened>();
  REQUIRE(opened);
  for (const auto text : {nat_request, std::string_view("else")}) {
    static_cast<void>(a.net.a.over.send(opened->id, as_bytes(text), false, a.net.now));
  }
  expect_refusal(a, "no-answer");
  CHECK_FALSE(a.listener.asked());
  REQUIRE(a.net.a.over.open(nat_channel(), a.net.now));
  a.net.run_until([] { return false; }, 5s);
  CHECK_FALSE(a.listener.asked());
}

TEST_CASE("nat question: labels of other commands are not taken") {
  asked a([](asked& self, link_event& event) {
    const auto* const opened = std::get_if<datachannel::channel_opened>(&event);
    if (!opened || !opened->by_peer) return;
    auto other = *opened;
    other.options.label = "check";
    CHECK_FALSE(self.listener.takes(other, self.net.b.over, self.net.now));
  });
  CHECK(a.run());
}
