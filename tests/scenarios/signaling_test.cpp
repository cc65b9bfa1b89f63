// Signaling that breaks, refuses and comes back, in the middle of everything: what stands between
// two peers does not notice, and what was begun is brought to an end.

#include "tests/scenarios/encounter.hpp"

using namespace nat;
using namespace nat::scenarios;
using namespace std::chrono_literals;

namespace {

bool is(const std::string& text, const char* type) {
  return text.contains(std::string(R"("type":")") + type + '"');
}

// Loses the first text of a kind, and with it the connection of whoever sent it.
void break_at(encounter& e, const char* type, session_peer& breaks) {
  e.hub.loses = [&e, &breaks, type, done = false](const session_peer&,
                                                  const std::string& text) mutable {
    if (done || !is(text, type)) return false;
    done = true;
    e.world.after(0ms, [&] { e.hub.cut(breaks); });
    return true;
  };
}

bool link_stands(encounter& e) {
  return e.world.run_until(
      [&] { return e.left->seen().ready && e.right->seen().received > 100'000; }, 60s);
}

}  // namespace

TEST_CASE("a session outlives every refusal, which is told once, and signaling comes back") {
  for (const auto* code :
       {"unauthorized", "cluster-unavailable", "not-registered", "bad-peer-id"}) {
    INFO(std::string(code));
    encounter e({.size = 3'000'000});
    REQUIRE(link_stands(e));
    e.hub.refuses = code;
    e.hub.cut(*e.left);
    e.hub.cut(*e.right);
    REQUIRE(e.run());
    e.world.run_for(5min);  // and none of the many tries that follow ends it
    e.check_whole();
    CHECK_FALSE(e.left->seen().ended);
    for (auto* p : {e.left.get(), e.right.get()}) {
      REQUIRE(p->seen().losses.size() == 2);  // cut; refused
      CHECK(p->seen().losses[1].reason.contains("Not now."));
      CHECK(p->seen().registrations.size() == 1);
    }
    e.hub.refuses.clear();
    CHECK(e.world.run_until(
        [&] {
          return e.left->seen().registrations.size() == 2 &&
                 e.right->seen().registrations.size() == 2;
        },
        16s));
    CHECK(e.left->seen().losses.size() == 2);
  }
}

TEST_CASE("a refusal for good ends a listener once no link stands, and one that passes never") {
  for (const auto* code : {"unauthorized", "cluster-unavailable"}) {
    INFO(std::string(code));
    encounter e({.size = 1000});
    REQUIRE(e.run());
    e.hub.refuses = code;
    e.hub.cut(*e.right);
    e.world.run_for(1min);
    CHECK_FALSE(e.right->seen().failure);
    e.left->peer().stop(e.world.now());
    e.world.run_for(1min);
    CHECK(e.right->seen().ended);
    // No `bye` can tell of the end, so that it is the path's; then comes what signaling has to say.
    const bool passes = std::string_view(code) == "cluster-unavailable";
    REQUIRE(e.right->seen().failure);
    CHECK(e.right->seen().failure->code == (passes ? "path-lost" : code));
  }
}

TEST_CASE("what describes a link and is lost with the connection is said again") {
  for (const auto* type : {"offer", "answer", "candidate"}) {
    for (const bool left_breaks : {true, false}) {
      // An offer that is lost on its last stretch is nobody's to miss: see peer-cli's limits.
      if (std::string_view(type) == "offer" && !left_breaks) continue;
      INFO(std::string(type), std::string(left_breaks ? " left" : " right"));
      encounter e({.left = symmetric, .right = symmetric, .size = 1000});  // needs what trickles
      break_at(e, type, left_breaks ? *e.left : *e.right);
      REQUIRE(e.run());
      e.check_whole();
    }
  }
}

TEST_CASE("an offer whose peer is away for a moment is repeated until it is back") {
  encounter e({.size = 1000});
  e.hub.loses = [&, offered = false](const session_peer& from, const std::string& text) mutable {
    if (&from == e.right.get()) return is(text, "register");  // and is silence for 10 s
    if (offered || !is(text, "offer")) return false;
    offered = true;
    e.world.after(0ms, [&] {
      e.hub.cut(*e.left);
      e.hub.cut(*e.right);
    });
    return true;
  };
  e.world.run_for(5s);
  REQUIRE(e.left->seen().registrations.size() == 2);
  CHECK_FALSE(e.left->seen().failure);
  CHECK(e.right->seen().registrations.size() == 1);
  e.hub.loses = nullptr;
  REQUIRE(e.run());
  e.check_whole();
}

TEST_CASE("an offer into the void ends in a clear error") {
  encounter e({.size = 1000});
  e.hub.loses = [&](const session_peer&, const std::string& text) {
    if (!is(text, "offer")) return false;
    e.world.after(0ms, [&] {
      e.hub.unreachable = true;
      e.hub.cut(*e.left);
    });
    return true;
  };
  const auto began = e.world.now();
  REQUIRE(e.world.run_until([&] { return e.left->seen().failure.has_value(); }, 31s));
  CHECK(e.world.now() - began >= 29s);
  CHECK(e.left->seen().failure->status == session::exit_status::signaling);
  CHECK(e.left->seen().failure->code == "signaling-timeout");
  CHECK(e.left->seen().failure->message.contains("connection refused"));
}

TEST_CASE("a listener that registers again in the middle of an attempt still ends it in time") {
  encounter e({.size = 1000});
  e.hub.loses = [&](const session_peer&, const std::string& text) {
    if (!is(text, "answer")) return false;
    e.world.after(0ms, [&] { e.world.detach(*e.left); });  // never heard of again
    return true;
  };
  REQUIRE(e.world.run_until([&] { return e.right->seen().offered.has_value(); }, 5s));
  e.hub.cut(*e.right);
  REQUIRE(e.world.run_until([&] { return e.right->seen().registrations.size() == 2; }, 5s));
  CHECK(e.world.run_until([&] { return e.right->seen().ended; }, 31s));
}

TEST_CASE("a first registration that the cluster can't give is retried, until the time-out") {
  for (const bool returns : {true, false}) {
    encounter e({.size = 1000});
    e.hub.refuses = "cluster-unavailable";
    e.world.run_for(10s);
    REQUIRE(e.left->seen().losses.size() == 1);
    CHECK_FALSE(e.left->seen().failure);
    if (returns) {
      e.hub.refuses.clear();
      REQUIRE(e.run());
      e.check_whole();
      continue;
    }
    REQUIRE(e.world.run_until([&] { return e.left->seen().failure.has_value(); }, 21s));
    CHECK(e.left->seen().failure->status == session::exit_status::signaling);
    CHECK(e.left->seen().failure->message.contains("Not now."));
  }
}

TEST_CASE("a listener refreshes its registration for days, through refusals, and is there") {
  encounter e({.size = 1000});
  REQUIRE(e.run());
  e.left->peer().stop(e.world.now());
  auto& seen = e.right->seen();
  const auto registered = [&](std::size_t times, duration within) {
    return e.world.run_until([&] { return seen.registrations.size() == times; }, within);
  };
  REQUIRE(registered(2, 10h));
  const auto after = seen.registrations[1] - seen.registrations[0];
  CHECK(after <= 576min);
  CHECK(after >= 539min);
  REQUIRE(registered(3, 10h));
  CHECK(seen.not_refreshed.empty());
  e.hub.refuses = "unauthorized";  // its token has expired
  e.world.run_for(11h);
  CHECK(seen.registrations.size() == 3);
  CHECK(seen.not_refreshed.size() == 1);
  e.hub.refuses.clear();
  session::peer_config config;
  config.id = "third";
  config.target = "right";
  session_peer third(e.world, e.world.add_host(e.left_gate.inside()), e.hub, std::move(config));
  CHECK(e.world.run_until([&] { return third.seen().ready.has_value(); }, 10s));
  CHECK(registered(4, 2min));  // while that link stands
  CHECK(seen.losses.empty());
  CHECK_FALSE(third.seen().failure);
}
