// The small decisions: role conflict, retransmission, openers, patience, timers, keys.

#include "ice/check_schedule.hpp"
#include "ice/keys.hpp"
#include "ice/opener.hpp"
#include "ice/patience.hpp"
#include "ice/role_conflict.hpp"
#include "ice/timers.hpp"
#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {
const time_point t0{1h};
}

TEST_CASE("role conflict: the larger tie-breaker controls, RFC 8445, 7.3.1.1") {
  using enum role;
  struct row {
    role mine;
    std::uint64_t my_tie_breaker;
    role theirs;
    std::uint64_t their_tie_breaker;
    conflict expected;
  };
  for (const auto& r : {row{controlling, 1, controlled, 9, conflict::none},
                        row{controlled, 9, controlling, 1, conflict::none},
                        row{controlling, 5, controlling, 4, conflict::answer_487},
                        row{controlling, 5, controlling, 5, conflict::answer_487},
                        row{controlling, 4, controlling, 5, conflict::switch_role},
                        row{controlled, 5, controlled, 4, conflict::switch_role},
                        row{controlled, 5, controlled, 5, conflict::switch_role},
                        row{controlled, 4, controlled, 5, conflict::answer_487}}) {
    CAPTURE(r.my_tie_breaker);
    CHECK(resolve_conflict(r.mine, r.my_tie_breaker, r.theirs, r.their_tie_breaker) == r.expected);
  }
}

TEST_CASE("checks are repeated after 250 ms, half as long again each time, never more than 2 s") {
  const check_schedule s;
  duration total{};
  for (unsigned n = 1; n < 10; ++n) {
    const auto wait = s.wait_after(n, 1);
    if (n > 1) CHECK(wait == std::min<duration>(s.wait_after(n - 1, 1) * 3 / 2, 2s));
    total += wait;
  }
  CHECK(s.wait_after(1, 1) == 250ms);
  CHECK(total > 11s);
  CHECK(total < 12s);
  CHECK(s.wait_after(1'000'000, 1) == 2s);
}

TEST_CASE("many pairs share the pace, RFC 8445, 14.3") {
  const check_schedule s{.pacing = 50ms};
  CHECK(s.wait_after(1, 100) == 5s);
  CHECK(s.wait_after(5, 100) == 5s);
}

TEST_CASE("a valid pair is asked again after a round trip, at first") {
  CHECK(brisk_wait(1, 80ms) == 80ms);
  CHECK(brisk_wait(1, 1ms) == 50ms);
  CHECK(brisk_wait(1, 10s) == 2s);
  CHECK(brisk_wait(max_brisk_sends, 80ms) == 1s);
}

TEST_CASE("who needs an opener, and for how long the check holds") {
  const opener_rules rules{.hop_limit = 2, .gap = 25ms};
  door here;
  here.base = at("10.0.0.1:1000");
  here.mapped = true;
  here.announced = t0;
  candidate there = reflexive("203.0.113.2:2000", "203.0.113.2:2000");
  opener_situation s{.from = &here,
                     .to = &there,
                     .heard = false,
                     .more_expected = true,
                     .signaling_delay = std::nullopt,
                     .now = t0 + 5ms};
  CHECK(opener_hold(rules, s) == t0 + 25ms);

  SUBCASE("counted from when the peer could know us: later, nothing is held") {
    s.now = t0 + 40ms;
    CHECK(opener_hold(rules, s) == t0 + 25ms);
  }
  SUBCASE("a slow way to the peer makes it longer") {
    s.signaling_delay = 80ms;
    CHECK(opener_hold(rules, s) == t0 + 80ms);
  }
  SUBCASE("a person's slowness is not the network's") {
    s.signaling_delay = 1h;
    CHECK(opener_hold(rules, s) == t0 + 250ms);
  }
  SUBCASE("while our own address is not known the peer can't have sent") {
    here.mapped = false;
    CHECK(opener_hold(rules, s) == t0 + 105ms);
    s.more_expected = false;
    CHECK(opener_hold(rules, s) == t0 + 25ms);
  }
  SUBCASE("a public address of ours is known to the peer as it stands") {
    here.mapped = false;
    here.base = at("198.51.100.1:1000");
    CHECK(opener_hold(rules, s) == t0 + 25ms);
  }
  SUBCASE("the peer was heard: its NAT is open") {
    s.heard = true;
    CHECK_FALSE(opener_hold(rules, s));
  }
  SUBCASE("only what is behind a NAT can be hurt") {
    for (const auto kind :
         {candidate_kind::host, candidate_kind::peer_reflexive, candidate_kind::relayed}) {
      there.kind = kind;
      CHECK_FALSE(opener_hold(rules, s));
    }
  }
  SUBCASE("a relay's packets come from elsewhere, TCP has no openers") {
    here.relayed = true;
    CHECK_FALSE(opener_hold(rules, s));
    here.relayed = false;
    here.proto = transport::tcp;
    CHECK_FALSE(opener_hold(rules, s));
  }
  SUBCASE("off") {
    CHECK_FALSE(opener_hold({.hop_limit = 0, .gap = 25ms}, s));
  }
}

TEST_CASE("patience: counted from the start where both have said that nothing more comes") {
  patience_situation s{.started = t0, .last_news = t0 + 10s, .both_ended = true, .active = 0};
  CHECK(failure_due(s, 20s) == t0 + 20s);
  s.both_ended = false;
  CHECK(failure_due(s, 20s) == t0 + 30s);
  s.active = 1;
  CHECK_FALSE(failure_due(s, 20s));
}

TEST_CASE("the timer table gives its earliest deadline") {
  timer_table timers;
  CHECK_FALSE(timers.next());
  timers.set(timer::patience, t0 + 2s);
  timers.set(timer::checks, t0 + 1s);
  CHECK(timers.next() == t0 + 1s);
  CHECK(timers.due(timer::checks, t0 + 1s));
  CHECK_FALSE(timers.due(timer::patience, t0 + 1s));
  timers.stop(timer::checks);
  CHECK(timers.next() == t0 + 2s);
}

TEST_CASE("keys: a restart keeps those of the path in use") {
  const credentials one{"one1", std::string(22, 'a')};
  const credentials two{"two2", std::string(22, 'b')};
  const credentials three{"tri3", std::string(22, 'c')};
  const credentials peer{"peer", std::string(22, 'p')};
  key_ring keys(one);
  CHECK(keys.of(0) == keys.by_local_ufrag("one1"));
  keys.set_remote(peer);
  CHECK(keys.current().username == "peer:one1");
  keys.restart(two, 0);
  CHECK_FALSE(keys.current().remote);
  CHECK(keys.by_local_ufrag("one1")->generation == 0);
  CHECK(keys.by_local_ufrag("two2")->generation == 1);
  keys.restart(three, 0);  // the first restart has found nothing
  CHECK(keys.of(0)->remote == peer);
  CHECK(keys.of(1) == nullptr);
  CHECK(keys.by_local_ufrag("two2") == nullptr);
  keys.forget_previous();
  CHECK(keys.of(0) == nullptr);
  CHECK(keys.of(2) == &keys.current());
}

TEST_CASE("keys: lengths are those of RFC 8839, 5.4") {
  CHECK(is_well_formed({"four", std::string(22, 'p')}));
  CHECK(is_well_formed({std::string(256, 'u'), std::string(256, 'p')}));
  CHECK_FALSE(is_well_formed({"abc", std::string(22, 'p')}));
  CHECK_FALSE(is_well_formed({"four", std::string(21, 'p')}));
  CHECK_FALSE(is_well_formed({std::string(257, 'u'), std::string(22, 'p')}));
  CHECK_FALSE(is_well_formed({"four", std::string(257, 'p')}));
}
