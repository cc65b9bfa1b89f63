#include "peer-cli/session/signaling_client.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "tests/peer-cli/session/signaling_fixture.hpp"

using namespace nat;
using namespace nat::session;
using nat::session::test::bye_to_bob;
using nat::session::test::client_fixture;
using std::chrono::seconds;

TEST_CASE_FIXTURE(client_fixture, "signaling: connects, registers, and is told so") {
  REQUIRE(connections.size() == 1);
  CHECK(open({"a token", {}}).token == "a token");
  CHECK(std::get<signal::register_message>(sent.back().second).peer_id == "alice");
  grant();
  const auto ready = next_event<signaling_ready>();
  REQUIRE(ready);
  CHECK_FALSE(ready->again);
  CHECK_FALSE(ready->after_loss);
  CHECK(client.registered());
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a first connection that fails ends it, status 3") {
  lose("connection refused");
  const auto why = next_event<failure>();
  REQUIRE(why);
  CHECK(why->status == exit_status::signaling);
  CHECK_FALSE(client.next_timeout());
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: silence before registration ends it after ten seconds") {
  open();
  wait();
  CHECK(now - time_point{} == seconds{10});
  CHECK(next_event<failure>());
  CHECK(left == connections);
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a refused registration ends it and says the code") {
  for (const auto* code : {"id-taken", "unauthorized", "rate-limited", "bad-peer-id"}) {
    client_fixture one;
    one.open({"old", "can't read 'token'"});
    one.refuse(code);
    const auto why = one.next_event<failure>();
    REQUIRE(why);
    CHECK(why->code == code);
    CHECK(why->status == exit_status::signaling);
    CHECK(why->message ==
          "the signaling server refused to register 'alice': no luck (can't read 'token')");
    CHECK(one.left == one.connections);
    CHECK_FALSE(one.client.next_timeout());
  }
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a first registration that the cluster can't give now is retried") {
  open();
  refuse("cluster-unavailable");
  REQUIRE(next_event<signaling_lost>());
  come_back();
  refuse("cluster-unavailable");
  CHECK_FALSE(next_event<signaling_lost>());  // told once
  wait();
  lose("sent away");  // this server can't even be asked
  REQUIRE(next_event<signaling_lost>());
  come_back();
  grant();
  const auto ready = next_event<signaling_ready>();
  REQUIRE(ready);
  CHECK_FALSE(ready->again);
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a lost connection is taken up again with the resume secret") {
  register_now();
  lose();
  REQUIRE(next_event<signaling_lost>());
  client.send(bye_to_bob());  // kept
  wait();
  REQUIRE(connections.size() == 2);
  CHECK(open().resume == "r1");
  CHECK(byes() == 0);
  grant();
  const auto ready = next_event<signaling_ready>();
  REQUIRE(ready);
  CHECK(ready->again);
  CHECK(ready->after_loss);
  CHECK(byes() == 1);
  CHECK(sent.back().first == last());
}

TEST_CASE_FIXTURE(
    client_fixture,
    "signaling: the resume secret outlives tries that fail, and is the server's last") {
  register_now();
  lose();
  for (int i = 0; i < 5; ++i) {
    wait();
    CHECK(open().resume == "r1");
    i % 2 == 0 ? refuse("id-taken") : lose();
    CHECK_FALSE(next_event<failure>());
  }
  wait();
  open();
  grant("r2");  // a server that was started again knows none
  lose();
  wait();
  CHECK(open().resume == "r2");
}

TEST_CASE_FIXTURE(client_fixture, "signaling: the token is the one of the moment") {
  CHECK(open({"monday", {}}).token == "monday");
  grant();
  lose();
  wait();
  CHECK(open({"tuesday", {}}).token == "tuesday");
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a server that is going away is left, and come back to") {
  register_now();
  client.received(last(), R"({"type":"going-away"})", now);
  drain();
  CHECK(left == std::vector{last()});
  const auto lost = next_event<signaling_lost>();
  REQUIRE(lost);
  CHECK(lost->reason == "the server is going away");
  CHECK(lost->retry_in >= std::chrono::milliseconds{125});
  CHECK(lost->retry_in <= std::chrono::milliseconds{250});
  lose("closed");  // by the server too: nothing new
  CHECK_FALSE(client.poll_event());
  come_back();
  client.received(last(), R"({"type":"going-away"})", now);  // still
  CHECK(next_event<signaling_lost>());
  drain();
  come_back();
  grant();
  CHECK(next_event<signaling_ready>()->after_loss);
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a first server that is going away is tried again") {
  open();
  client.received(last(), R"({"type":"going-away"})", now);
  drain();
  CHECK(next_event<signaling_lost>());
  come_back();
  grant();
  CHECK(next_event<signaling_ready>());
}

TEST_CASE_FIXTURE(client_fixture, "signaling: refusals that pass are sat out") {
  register_now();
  lose();
  for (const auto* code : {"cluster-unavailable", "id-taken", "rate-limited", "internal",
                           "going-away", "not-registered"}) {
    come_back();
    while (client.poll_event()) {
    }
    refuse(code);
    const auto lost = next_event<signaling_lost>();
    REQUIRE(lost);
    CHECK(lost->reason.contains("no luck"));
  }
  come_back();
  grant();
  CHECK(next_event<signaling_ready>());
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a refusal for good ends it, but not while it is to persist") {
  register_now();
  lose();
  REQUIRE(next_event<signaling_lost>());
  client.persist(true);
  for (int i = 0; i < 4; ++i) {
    come_back();
    refuse("unauthorized");
    CHECK(next_event<signaling_lost>().has_value() == (i == 0));  // told once
  }
  CHECK(left.size() == 4);
  client.persist(false);
  come_back();
  refuse("unauthorized");
  const auto why = next_event<failure>();
  REQUIRE(why);
  CHECK(why->code == "unauthorized");
  CHECK_FALSE(client.next_timeout());
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a connection that the server disowns is made anew") {
  register_now();
  client.received(last(), R"({"type":"error","code":"not-registered","message":"Who?"})", now);
  drain();
  CHECK(left == std::vector{last()});
  CHECK(next_event<signaling_lost>());
  come_back();
  grant();
  CHECK(client.registered());
}

TEST_CASE_FIXTURE(client_fixture, "signaling: the back-off doubles with jitter and has a ceiling") {
  register_now();
  std::set<duration> pauses;
  std::chrono::milliseconds ceiling{250};
  for (int attempt = 0; attempt < 12; ++attempt) {
    lose("away");
    const auto lost = next_event<signaling_lost>();
    REQUIRE(lost);
    CHECK(lost->retry_in <= ceiling);
    CHECK(lost->retry_in >= ceiling / 2);
    pauses.insert(lost->retry_in);
    wait();
    ceiling = std::min<std::chrono::milliseconds>(ceiling * 2, seconds{15});
  }
  CHECK(pauses.size() == 12);
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: the back-off starts over once a registration has lasted") {
  register_now();
  for (int i = 0; i < 8; ++i) {  // taken and dropped, again and again
    lose();
    come_back();
    grant();
  }
  while (client.poll_event()) {
  }
  lose();
  CHECK(next_event<signaling_lost>()->retry_in > seconds{7});
  come_back();
  grant();
  now += seconds{15};
  lose();
  CHECK(next_event<signaling_lost>()->retry_in <= std::chrono::milliseconds{250});
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a clock that jumps costs a try, not the registration") {
  register_now();
  for (int i = 0; i < 3; ++i) {
    lose();
    now += std::chrono::hours{9};
    client.handle_timeout(now);
    drain();
    client.opened(last(), {}, now);
    now += std::chrono::hours{9};  // between the question and its answer
    client.handle_timeout(now);
    drain();
    CHECK_FALSE(next_event<failure>());
    come_back();
    grant();
    REQUIRE(client.registered());
  }
}

TEST_CASE_FIXTURE(client_fixture, "signaling: what waits for a lost connection is bounded") {
  register_now();
  lose("away");
  for (int i = 0; i < 1'000; ++i) client.send(bye_to_bob());
  come_back();
  grant();
  CHECK(byes() == 256);
}

TEST_CASE_FIXTURE(client_fixture, "signaling: nonsense from the server changes nothing") {
  register_now();
  while (client.poll_event()) {
  }
  for (const auto* text :
       {"", "{", "[]", R"({"type":"offer"})", R"({"type":"new-thing"})", "\xff"}) {
    client.received(last(), text, now);
  }
  client.received(last() + 1, R"({"type":"going-away"})", now);  // no connection of ours
  CHECK(client.registered());
  CHECK_FALSE(client.poll_event());
}
