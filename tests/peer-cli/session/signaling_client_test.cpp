#include "peer-cli/session/signaling_client.hpp"

#include <vector>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::session;
using std::chrono::seconds;

namespace {

struct client_fixture {
  test::seeded_random random;
  time_point now{};
  signaling_client client{{.peer_id = "alice", .token = {}}, random, now};

  template <class Output>
  std::optional<Output> next_output() {
    while (auto output = client.poll_output()) {
      if (auto* const wanted = std::get_if<Output>(&*output)) return std::move(*wanted);
    }
    return std::nullopt;
  }
  template <class Event>
  std::optional<Event> next_event() {
    while (auto event = client.poll_event()) {
      if (auto* const wanted = std::get_if<Event>(&*event)) return std::move(*wanted);
    }
    return std::nullopt;
  }
  void register_now() {
    client.opened(now);
    client.received(
        R"({"type":"registered","peer_id":"alice","resume":"r1","ice_servers":[],"ttl":60})", now);
  }
  void wait() {
    now = *client.next_timeout();
    client.handle_timeout(now);
  }
};

}  // namespace

TEST_CASE_FIXTURE(client_fixture, "signaling: connects, registers, and is told so") {
  CHECK(next_output<signaling_connect>());
  client.opened(now);
  const auto sent = next_output<signaling_send>();
  REQUIRE(sent);
  const auto message = signal::parse_client_message(sent->text);
  REQUIRE(message);
  CHECK(std::get<signal::register_message>(*message).peer_id == "alice");
  register_now();
  const auto ready = next_event<signaling_ready>();
  REQUIRE(ready);
  CHECK_FALSE(ready->resumed);
  CHECK(client.registered());
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a first connection that fails ends it, status 3") {
  client.closed("connection refused", now);
  const auto why = next_event<failure>();
  REQUIRE(why);
  CHECK(why->status == exit_status::signaling);
  CHECK_FALSE(client.next_timeout());
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: silence before registration ends it after ten seconds") {
  client.opened(now);
  wait();
  CHECK(now - time_point{} == seconds{10});
  CHECK(next_event<failure>());
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a refused registration ends it and says the code") {
  client.opened(now);
  client.received(R"({"type":"error","code":"id-taken","message":"taken","request":"register"})",
                  now);
  const auto why = next_event<failure>();
  REQUIRE(why);
  CHECK(why->code == "id-taken");
  CHECK(why->status == exit_status::signaling);
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a lost connection is taken up again with the resume secret") {
  register_now();
  client.closed("reset", now);
  REQUIRE(next_event<signaling_lost>());
  client.send(signal::bye_message{"bob", {}, {}});  // kept
  next_output<signaling_connect>();
  wait();
  CHECK(next_output<signaling_connect>());
  client.opened(now);
  const auto sent = next_output<signaling_send>();
  REQUIRE(sent);
  CHECK(std::get<signal::register_message>(*signal::parse_client_message(sent->text)).resume ==
        "r1");
  register_now();
  CHECK(next_event<signaling_ready>()->resumed);
  bool bye = false;
  while (const auto text = next_output<signaling_send>()) {
    bye = bye ||
          std::holds_alternative<signal::bye_message>(*signal::parse_client_message(text->text));
  }
  CHECK(bye);
}

TEST_CASE_FIXTURE(client_fixture, "signaling: the back-off doubles with jitter and has a ceiling") {
  register_now();
  std::chrono::milliseconds ceiling{250};
  for (int attempt = 0; attempt < 12; ++attempt) {
    client.closed("away", now);
    const auto lost = next_event<signaling_lost>();
    REQUIRE(lost);
    CHECK(lost->retry_in <= ceiling);
    CHECK(lost->retry_in >= ceiling / 2);
    wait();
    ceiling = std::min<std::chrono::milliseconds>(ceiling * 2, seconds{15});
  }
}

TEST_CASE_FIXTURE(client_fixture, "signaling: what waits for a lost connection is bounded") {
  register_now();
  client.closed("away", now);
  for (int i = 0; i < 1'000; ++i) client.send(signal::bye_message{"bob", {}, {}});
  wait();
  while (client.poll_output()) {
  }
  register_now();
  int sent = 0;
  while (next_output<signaling_send>()) ++sent;
  CHECK(sent == 256 + 1);  // and the registration
}

TEST_CASE_FIXTURE(client_fixture, "signaling: nonsense from the server changes nothing") {
  register_now();
  while (client.poll_event()) {
  }
  for (const auto* text :
       {"", "{", "[]", R"({"type":"offer"})", R"({"type":"new-thing"})", "\xff"}) {
    client.received(text, now);
  }
  CHECK(client.registered());
  CHECK_FALSE(client.poll_event());
}
