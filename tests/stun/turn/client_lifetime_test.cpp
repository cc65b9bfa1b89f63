// Refresh, keepalive, the end in all its forms.

#include "tests/stun/turn/turn_world.hpp"

using namespace nat;
using namespace nat::test;
using stun::method;
using turn::refused;
using turn::released;

TEST_CASE("refreshed a minute before the end, by the server's lifetime") {
  turn_world w(turn_world::config(), {.lifetime = 300});
  w.run(235s);
  CHECK(w.server.count(method::refresh) == 0);
  w.run(10s);
  CHECK(w.server.count(method::refresh) == 1);
  w.run(3600s);
  CHECK(w.server.allocated);
  CHECK(w.events.size() == 1);
}

TEST_CASE("an absurd lifetime is bounded both ways") {
  turn_world never(turn_world::config(), {.lifetime = 0});
  never.run(10s);
  CHECK(never.server.count(method::refresh) <= 1);
  turn_world ever(turn_world::config(), {.lifetime = 0xFFFFFFFF});
  ever.run(3601s);
  CHECK(ever.server.count(method::refresh) >= 1);
  CHECK(ever.events.size() == 1);
}

TEST_CASE("a server that is away for a while is asked on until the allocation ends") {
  turn_world w;
  w.run(535s);
  const auto back = w.now + 40s;
  w.lose = [&](int, bool) { return w.now < back; };
  w.run(120s);
  CHECK(w.server.allocated);
  CHECK(!w.has<refused>());
  w.lose = [](int, bool) { return true; };
  w.run(700s);
  REQUIRE(w.has<refused>());
  CHECK(w.all<refused>()[0].code == 0);
  CHECK(!w.client.next_timeout());
}

TEST_CASE("what a Refresh may be answered") {
  turn_world w;
  w.run(1s);
  SUBCASE("437: the server has forgotten") {
    w.server.allocated = false;
    w.run(600s);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == 437);
  }
  SUBCASE("441") {
    w.server.errors[method::refresh] = {441};
    w.run(600s);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == 441);
  }
  SUBCASE("500: asked again") {
    w.server.errors[method::refresh] = {500, 500};
    w.run(600s);
    CHECK(!w.has<refused>());
    CHECK(w.server.allocated);
    CHECK(w.server.count(method::refresh) == 3);
  }
}

TEST_CASE("keepalive in idle times, on UDP only") {
  turn_world w;
  w.run(61s);
  CHECK(w.server.bindings == 4);
  turn_world stream(turn_world::config(transport::tcp));
  stream.run(61s);
  CHECK(stream.server.bindings == 0);
}

TEST_CASE("released, and the server knows") {
  turn_world w;
  w.run(1s);
  w.client.release(w.now);
  SUBCASE("at once") {
    w.run(20ms);
  }
  SUBCASE("any packet lost") {
    w.lose = [first = w.packets](int number, bool) { return number <= first + 1; };
    w.run(2s);
  }
  SUBCASE("with a stale nonce") {
    w.server.nonce = "nonce-2";
    w.run(100ms);
  }
  REQUIRE(w.has<released>());
  CHECK(w.events.size() == 2);
  CHECK(!w.server.allocated);
  CHECK(w.client.finished());
  CHECK(!w.client.relayed(true));
  CHECK(!w.client.next_timeout());
  w.client.release(w.now);
  w.client.permit(*parse_address("192.0.2.1"), w.now);
  CHECK(!w.client.poll_transmit());
}

TEST_CASE("released from a server that is gone, within three seconds") {
  turn_world w;
  w.run(1s);
  w.lose = [](int, bool) { return true; };
  w.client.release(w.now);
  w.run(3s);
  CHECK(w.has<released>());
}

TEST_CASE("released before the allocation is known") {
  turn_world w;
  SUBCASE("before the challenge: nothing to give back") {
    w.run(1ms);
    w.client.release(w.now);
    w.run(1ms);
    CHECK(w.has<released>());
  }
  SUBCASE("while the signed Allocate is on its way: undone unseen") {
    w.run(21ms);
    w.client.release(w.now);
    w.run(1s);
    CHECK(w.has<released>());
    CHECK(w.server.count(method::allocate) == 2);
  }
  CHECK(!w.server.allocated);
  CHECK(w.events.size() == 1);
  CHECK(!w.client.next_timeout());
}

TEST_CASE("a closed stream ends the allocation, or the release") {
  turn_world w(turn_world::config(transport::tcp));
  w.run(1s);
  SUBCASE("in the middle") {
    w.client.handle_stream_closed(w.now);
    w.run(1ms);
    REQUIRE(w.has<refused>());
    CHECK(w.all<refused>()[0].code == -1);
  }
  SUBCASE("while releasing") {
    w.client.release(w.now);
    w.client.handle_stream_closed(w.now);
    w.run(1ms);
    CHECK(w.has<released>());
  }
  const auto events = w.events.size();
  w.client.handle_stream_closed(w.now);
  w.run(1ms);
  CHECK(w.events.size() == events);
}

TEST_CASE("an hour late: everything is due at once, nothing is asked twice, the end is clear") {
  turn_world w;
  w.client.permit(*parse_address("192.0.2.1"), w.now);
  w.client.bind_channel(*parse_endpoint("192.0.2.1:9"), w.now);
  w.run(1s);
  const auto seen = w.server.seen.size();
  w.now += 3600s;
  w.client.handle_timeout(w.now);
  w.run(10s);
  REQUIRE(w.has<refused>());
  CHECK(w.server.seen.size() == seen);
  CHECK(!w.client.next_timeout());
}

TEST_CASE("timers never stand still: a deadline that was served moves on") {
  turn_world w;
  w.client.permit(*parse_address("192.0.2.1"), w.now);
  for (int i = 0; i < 2000 && !w.client.finished(); ++i) {  // no answer is ever given
    const auto next = w.client.next_timeout();
    if (!next) break;
    w.client.handle_timeout(*next);
    while (w.client.poll_transmit()) {
    }
    const auto then = w.client.next_timeout();
    CHECK((!then || *then > *next));
  }
  CHECK(w.client.finished());
}
