// Nomination between our agents, and with peers that do it in other ways: regular, aggressive, only
// once, only after being told.

#include "ice/check_message.hpp"
#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

// One agent of ours and a peer that this test plays, with two addresses.
struct foreign {
  wire l;
  credentials peer{"peer", std::string(22, 'p')};
  endpoint ours = at("192.0.2.1:1000");
  endpoint good = at("192.0.2.2:2000");  // higher priority
  endpoint other = at("192.0.2.3:3000");
  struct seen {
    endpoint to;
    stun::transaction_id id;
    bool use_candidate;
    std::optional<std::uint32_t> nomination;
    time_point at;
  };
  std::vector<seen> checks;

  explicit foreign(role mine, const std::function<void(agent_config&)>& change = {}) {
    l.make(l.a, mine, change);
    l.passes = [this](const site&, const transmit& t) {
      const auto message = stun::message_view::parse(t.data);
      REQUIRE(message);
      if (message->type() == stun::binding_request) {
        const auto verified = message->authenticate(as_bytes(peer.password));
        REQUIRE(verified);
        const auto check = read_check(*verified);
        checks.push_back(
            {t.via.remote, message->id(), check.use_candidate, check.nomination, l.now});
      }
      return false;
    };
    l.know(l.a, host("192.0.2.1:1000"));
    l.a.agent->set_remote(peer, l.now);
    l.a.agent->add_remote(host("192.0.2.2:2000", 65535), l.now);
    l.a.agent->add_remote(host("192.0.2.3:3000", 100), l.now);
    l.run_for(10ms);
    REQUIRE(checks.size() == 2);
  }
  [[nodiscard]] path via(const endpoint& remote) const { return {transport::udp, ours, remote}; }

  // Answers the last check that went there.
  void answer(const endpoint& where) {
    for (auto at = checks.rbegin(); at != checks.rend(); ++at) {
      if (at->to != where) continue;
      l.inject(l.a, via(where), make_success(at->id, ours, peer.password));
      return;
    }
    FAIL("no check went there");
  }
  void check(const endpoint& from, bool use_candidate, std::uint32_t number = 0,
             role theirs = role::controlling) {
    l.inject(l.a, via(from),
             make_check({.id = stun::make_transaction_id(l.random),
                         .username = l.a.keys.ufrag + ":" + peer.ufrag,
                         .password = l.a.keys.password,
                         .priority = 0x6E00'0001,
                         .role = theirs,
                         .tie_breaker = 7,
                         .nomination = use_candidate ? std::max(number, 1U) : 0,
                         .nomination_attribute = number != 0}));
  }
  [[nodiscard]] endpoint selected() const {
    const auto p = l.a.agent->selected();
    return p ? p->remote : endpoint{};
  }
  [[nodiscard]] const connected& last() const { return l.a.paths.back().second; }
};

}  // namespace

TEST_CASE("controlling: the first valid pair is nominated by a check that leaves at once") {
  foreign f(role::controlling);
  CHECK_FALSE(f.checks[0].use_candidate);
  CHECK_FALSE(f.checks[1].use_candidate);
  f.answer(f.other);
  CHECK(f.selected() == f.other);
  CHECK_FALSE(f.last().nominated);
  REQUIRE(f.checks.size() == 3);
  CHECK(f.checks[2].use_candidate);
  CHECK(f.checks[2].nomination == 1);
  CHECK(f.checks[2].at == f.l.now);
  f.answer(f.other);
  CHECK(f.last().nominated);
  CHECK(f.l.a.paths.size() == 2);
}

TEST_CASE("controlling: a better pair is nominated again, a worse one is not") {
  foreign f(role::controlling);
  f.answer(f.other);
  f.answer(f.other);
  f.answer(f.good);
  CHECK(f.selected() == f.good);
  CHECK(f.checks.back().to == f.good);
  CHECK(f.checks.back().nomination == 2);
  f.answer(f.good);
  CHECK(f.last().nominated);

  foreign g(role::controlling);
  g.answer(g.good);
  g.answer(g.good);
  g.answer(g.other);
  CHECK(g.selected() == g.good);
  CHECK_FALSE(g.checks.back().to == g.other);
}

TEST_CASE("controlling: a lost nomination is repeated until it is answered") {
  foreign f(role::controlling);
  f.answer(f.good);
  f.l.run_for(300ms);
  std::size_t nominations = 0;
  for (const auto& c : f.checks) nominations += c.use_candidate ? 1 : 0;
  CHECK(nominations >= 3);
  CHECK(nominations <= 7);
  f.answer(f.good);
  CHECK(f.last().nominated);
  const auto before = f.checks.size();
  f.l.run_for(3s);
  for (auto n = before; n < f.checks.size(); ++n) CHECK_FALSE(f.checks[n].use_candidate);
}

// Firefox and some others send data only after USE-CANDIDATE.
TEST_CASE("controlling: the check that a peer's check triggers nominates already") {
  foreign f(role::controlling);
  f.check(f.good, false, 0, role::controlled);
  REQUIRE(f.checks.size() == 3);
  CHECK(f.checks[2].to == f.good);
  CHECK(f.checks[2].use_candidate);
  f.check(f.other, false, 0, role::controlled);  // one at a time
  CHECK(f.checks.back().to == f.other);
  CHECK_FALSE(f.checks.back().use_candidate);
  f.answer(f.good);
  CHECK(f.l.a.paths.size() == 1);
  CHECK(f.last().nominated);
}

TEST_CASE("controlling: where another pair was faster than the one nominated, it is told so") {
  foreign f(role::controlling);
  f.check(f.other, false, 0, role::controlled);
  CHECK(f.checks.back().use_candidate);
  f.answer(f.good);
  CHECK(f.selected() == f.good);
  CHECK(f.checks.back().to == f.good);
  CHECK(f.checks.back().nomination == 2);
  // The first nomination succeeds late and changes nothing.
  f.answer(f.other);
  CHECK(f.selected() == f.good);
  f.answer(f.good);
  CHECK(f.last().nominated);
  for (const auto& p : f.l.a.agent->pairs()) CHECK(p.nominated == p.selected);
}

TEST_CASE("without renomination the attribute stays away") {
  foreign f(role::controlling, [](agent_config& c) { c.renomination = false; });
  f.answer(f.good);
  CHECK(f.checks.back().use_candidate);
  CHECK_FALSE(f.checks.back().nomination);
}

TEST_CASE("controlled: data goes over the first valid pair, before any nomination") {
  foreign f(role::controlled);
  f.answer(f.other);
  CHECK(f.selected() == f.other);
  CHECK_FALSE(f.last().nominated);
  f.answer(f.good);
  CHECK(f.selected() == f.good);
  for (const auto& c : f.checks) CHECK_FALSE(c.use_candidate);
}

TEST_CASE("controlled: a regular peer nominates once, and is followed") {
  foreign f(role::controlled);
  f.answer(f.good);
  f.answer(f.other);
  CHECK(f.selected() == f.good);
  f.check(f.other, true);
  CHECK(f.selected() == f.other);
  CHECK(f.last().nominated);
}

TEST_CASE("controlled: a nomination before our own check has succeeded counts once it does") {
  foreign f(role::controlled);
  f.check(f.other, true);
  CHECK(f.l.a.paths.empty());
  f.answer(f.good);
  CHECK(f.selected() == f.good);
  f.answer(f.other);
  CHECK(f.selected() == f.other);
  CHECK(f.last().nominated);
}

TEST_CASE("controlled: an aggressive peer nominates all, and the best pair wins in any order") {
  for (const bool good_first : {true, false}) {
    foreign f(role::controlled);
    f.answer(f.good);
    f.answer(f.other);
    f.check(good_first ? f.good : f.other, true);
    f.check(good_first ? f.other : f.good, true);
    CHECK(f.selected() == f.good);
    CHECK(f.last().nominated);
  }
}

TEST_CASE("controlled: with numbers the latest wins, whatever its priority and order of arrival") {
  foreign f(role::controlled);
  f.answer(f.good);
  f.answer(f.other);
  f.check(f.good, true, 1);
  f.check(f.other, true, 2);
  CHECK(f.selected() == f.other);
  f.check(f.good, true, 1);  // a copy that was on its way for long
  CHECK(f.selected() == f.other);
  f.check(f.good, true, 3);
  CHECK(f.selected() == f.good);
}

TEST_CASE("controlled: without numbers a later nomination of a lower pair is followed too") {
  foreign f(role::controlled);
  f.answer(f.good);
  f.answer(f.other);
  f.check(f.good, true);
  f.l.run_for(2s);
  f.answer(f.good);  // consent
  f.check(f.other, true);
  CHECK(f.selected() == f.other);
}

TEST_CASE("controlled: once nominated, only the peer moves the path") {
  foreign f(role::controlled);
  f.answer(f.other);
  f.check(f.other, true);
  CHECK(f.last().nominated);
  f.answer(f.good);
  CHECK(f.selected() == f.other);
}

TEST_CASE("a peer that answers every check with 487 makes no storm") {
  foreign f(role::controlling);
  for (int n = 0; n < 200; ++n) {
    f.l.inject(f.l.a, f.via(f.good), make_role_conflict(f.checks.back().id, f.peer.password));
  }
  CHECK(f.checks.size() < 2 + 12);
  CHECK(f.l.a.paths.empty());
}

TEST_CASE("a path that answers from elsewhere is not tried at the peer's pace") {
  foreign f(role::controlled);
  const auto before = f.checks.size();
  for (int n = 0; n < 100; ++n) {
    f.check(f.good, false);
    const auto id = f.checks.back().id;
    f.l.inject(f.l.a, f.via(at("192.0.2.99:9")), make_success(id, f.ours, f.peer.password));
    f.l.run_for(10ms);
  }
  CHECK(f.checks.size() - before <= 4 + 4 + 4);  // one a 250 ms, and the other pair's
  CHECK(f.l.a.paths.empty());
}

TEST_CASE("roles change in the middle: nobody is left without a nomination, and no storm follows") {
  foreign f(role::controlled);
  f.answer(f.good);
  f.check(f.good, true);
  const auto before = f.checks.size();
  f.check(f.good, false, 0, role::controlled);  // the peer says that it is controlled, with 7
  if (f.l.a.agent->role() == role::controlling) {
    CHECK(f.checks.back().use_candidate);
    for (int n = 0; n < 50; ++n) f.check(f.good, false, 0, role::controlled);
    CHECK(f.checks.size() - before <= 2);
    f.answer(f.good);
    CHECK(f.last().nominated);
  }
  CHECK(f.l.a.agent->role() == role::controlling);  // our tie-breaker is larger than 7
}
