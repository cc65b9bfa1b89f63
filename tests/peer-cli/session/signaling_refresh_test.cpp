// A registration that is made anew while it stands: over a second connection, which takes over.

#include <vector>

#include "tests/peer-cli/session/signaling_fixture.hpp"

using namespace nat;
using namespace nat::session;
using nat::session::test::bye_to_bob;
using nat::session::test::client_fixture;

TEST_CASE_FIXTURE(client_fixture, "signaling: a refresh takes over, and loses nothing") {
  register_now();
  const auto old = last();
  while (client.poll_event()) {
  }
  client.refresh(now);
  drain();
  REQUIRE(connections.size() == 2);
  client.send(bye_to_bob());
  drain();
  REQUIRE(sent.back().first == old);  // which stands as before
  CHECK(open({"new", {}}).resume == "r1");
  client.send(bye_to_bob());  // the old one may be mute now
  drain();
  CHECK(byes() == 1);
  client.received(old, R"({"type":"bye","from":"carol"})", now);
  CHECK(next_event<signal::server_message>());
  grant();
  CHECK(byes() == 2);
  CHECK(sent.back().first == last());
  const auto ready = next_event<signaling_ready>();
  REQUIRE(ready);
  CHECK(ready->again);
  CHECK_FALSE(ready->after_loss);
  client.received(old, R"({"type":"bye","from":"carol"})", now);  // was on its way
  CHECK(next_event<signal::server_message>());
  SUBCASE("the server closes the old connection") {
    client.closed(old, "superseded", now);
  }
  SUBCASE("or we do, in the end") {
    wait();
    CHECK(left == std::vector{old});
  }
  CHECK_FALSE(client.poll_event());
  CHECK_FALSE(client.next_timeout());
  CHECK(client.registered());
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: a refresh is no loss where the old end is heard first") {
  register_now();
  const auto old = last();
  client.refresh(now);
  drain();
  open();
  while (client.poll_event()) {
  }
  client.closed(old, "superseded", now);
  CHECK_FALSE(client.poll_event());
  grant();
  CHECK(next_event<signaling_ready>());
  CHECK(client.registered());
  CHECK(connections.size() == 2);
}

TEST_CASE_FIXTURE(client_fixture, "signaling: a refresh that fails leaves all as it was") {
  register_now();
  const auto old = last();
  const auto fails = [&](auto&& how) {
    while (client.poll_event()) {
    }
    client.refresh(now);
    drain();
    open();
    client.send(bye_to_bob());
    how();
    drain();
    CHECK(byes() == 1);
    CHECK(sent.back().first == old);
    CHECK(client.registered());
    CHECK_FALSE(client.next_timeout());
    sent.clear();
    return next_event<signaling_not_refreshed>().has_value();
  };
  CHECK(fails([&] { refuse("unauthorized"); }));
  CHECK_FALSE(fails([&] { refuse("unauthorized"); }));  // told once
  CHECK(fails([&] { lose("cut"); }));
  CHECK(fails([&] { wait(); }));
  CHECK(fails([&] { client.received(last(), R"({"type":"going-away"})", now); }));
  client.received(old, R"({"type":"bye","from":"carol"})", now);
  CHECK(next_event<signal::server_message>());
}

TEST_CASE_FIXTURE(client_fixture,
                  "signaling: leaving closes all that is open, and waits for nothing") {
  register_now();
  client.refresh(now);
  drain();
  open();
  grant();
  client.refresh(now);
  drain();
  client.leave();
  drain();
  CHECK(left.size() == 3);
  CHECK_FALSE(client.next_timeout());
  client.closed(last(), "gone", now);
  client.send(bye_to_bob());
  drain();
  CHECK(byes() == 0);
}
