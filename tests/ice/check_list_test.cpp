#include "ice/check_list.hpp"

#include <set>

#include "ice/backups.hpp"
#include "ice/nomination.hpp"
#include "tests/ice/wire.hpp"

using namespace nat;
using namespace nat::ice;
using namespace nat::ice::test;

namespace {

const time_point t0{1h};
const auto anyone_may_go = [](const pair&) { return false; };

struct fixture {
  seeded_random random;
  local_candidates locals{64};
  std::vector<candidate> remotes;
  check_list list;

  explicit fixture(std::size_t max_pairs = 100) : list(max_pairs, random) {}
  void local(const candidate& c) { locals.add(c, t0); }
  void pair_all() {
    for (const auto& d : locals.doors()) {
      for (const auto& r : remotes) {
        if (can_pair(d, r)) list.form(d, r, 0, role::controlling, false, anyone_may_go);
      }
    }
  }
  pair* next() {
    auto* p = list.next_waiting(locals, 0);
    if (p == nullptr) return p;
    p->state = pair_state::in_progress;
    list.note_started(*p);
    return p;
  }
  pair& valid(std::string_view l, std::string_view r, candidate_kind kind, duration rtt) {
    auto local = host(l);
    auto remote = host(r);
    remote.kind = kind;
    remote.priority = candidate_priority(kind, 65535);
    locals.add(local, t0);
    auto* p = list.form(*locals.find(transport::udp, local.base), remote, 0, role::controlling,
                        false, anyone_may_go);
    REQUIRE(p != nullptr);
    p->state = pair_state::succeeded;
    p->answered = t0;
    p->rtt.add(rtt);
    return *p;
  }
};

std::string name(int network, int n) {
  return "172." + std::to_string(network) + "." + std::to_string(n) +
         ".1:" + std::to_string(1000 + n);
}

}  // namespace

TEST_CASE("local candidates that share a socket make one pair with each remote candidate") {
  fixture f;
  f.local(host("10.0.0.1:1000"));
  f.local(reflexive("198.51.100.1:1000", "10.0.0.1:1000"));
  f.local(reflexive("198.51.100.1:1001", "10.0.0.1:1000"));
  f.remotes = {host("10.0.0.2:2"), reflexive("203.0.113.2:2", "203.0.113.2:2")};
  f.pair_all();
  f.pair_all();  // told twice
  CHECK(f.list.all().size() == 2);
}

TEST_CASE("every class of pairs is tried once before any is tried twice") {
  fixture f;
  for (int n = 0; n < 4; ++n) f.local(host(name(17, n)));
  f.local(reflexive("198.51.100.1:1002", name(17, 2)));
  f.local(relayed("192.0.2.9:5000"));
  for (int n = 0; n < 4; ++n) f.remotes.push_back(host(name(18, n)));
  f.remotes.push_back(reflexive("203.0.113.2:2", "203.0.113.2:2"));
  f.remotes.push_back(relayed("192.0.2.8:6000"));
  f.pair_all();
  // direct: 4 × 6; from the relay: the reflexive and the relayed one.
  CHECK(f.list.all().size() == 26);
  std::set<pair_class> classes;
  for (int n = 0; n < 5; ++n) {
    const auto* p = f.next();
    REQUIRE(p != nullptr);
    classes.insert(class_of(*p));
    // Of four doors to the peer's reflexive address the one that a server answered goes first.
    if (p->remote.kind == candidate_kind::server_reflexive &&
        p->local.kind == candidate_kind::host) {
      CHECK(p->via.local == at(name(17, 2)));
    }
  }
  CHECK(classes.size() == 5);
  for (int n = 5; n < 26; ++n) CHECK(f.next() != nullptr);
  CHECK(f.next() == nullptr);
}

TEST_CASE("pruning keeps a pair of each kind") {
  // Eight bridges at each end: 64 pairs of host candidates, and the good ones told last.
  fixture f(40);
  for (int n = 0; n < 8; ++n) f.local(host(name(17, n), static_cast<std::uint16_t>(60'000 + n)));
  for (int n = 0; n < 8; ++n) f.remotes.push_back(host(name(18, n)));
  f.pair_all();
  CHECK(f.list.all().size() == 40);
  f.local(relayed("192.0.2.9:5000"));
  f.local(host("[2001:db8::1]:1"));
  f.remotes.push_back(reflexive("203.0.113.2:2", "203.0.113.2:2"));
  f.remotes.push_back(relayed("192.0.2.8:6000"));
  f.remotes.push_back(host("[2001:db8::2]:2"));
  f.pair_all();
  CHECK(f.list.all().size() == 40);
  std::set<pair_class> classes;
  for (const auto& p : f.list.all()) classes.insert(class_of(*p));
  CHECK(classes.size() == 6);  // host, srflx, relay from hosts; srflx, relay from the relay; IPv6
  CHECK(f.list.find({transport::udp, at("192.0.2.9:5000"), at("192.0.2.8:6000")}, 0) != nullptr);
  CHECK(f.list.find({transport::udp, at("[2001:db8::1]:1"), at("[2001:db8::2]:2")}, 0) != nullptr);
}

TEST_CASE("pruning never takes what works, was heard from, or is selected") {
  fixture f(3);
  auto& works = f.valid("10.0.0.1:1", "10.0.0.2:1", candidate_kind::host, 1ms);
  auto& heard = f.valid("10.0.0.1:1", "10.0.0.2:2", candidate_kind::host, 1ms);
  heard.state = pair_state::failed;
  heard.heard = t0;
  auto& chosen = f.valid("10.0.0.1:1", "10.0.0.2:3", candidate_kind::host, 1ms);
  chosen.state = pair_state::failed;
  const auto keep = [&](const pair& p) { return &p == &chosen; };
  const auto& d = f.locals.doors()[0];
  CHECK(f.list.form(d, relayed("192.0.2.8:1"), 0, role::controlling, false, keep) == nullptr);
  CHECK(f.list.form(d, relayed("192.0.2.8:1"), 0, role::controlling, true, keep) == nullptr);
  CHECK(f.list.refused == 2);
  CHECK(f.list.find(works.via, 0) == &works);
  CHECK(f.list.form(d, relayed("192.0.2.8:1"), 0, role::controlling, false, anyone_may_go));
}

TEST_CASE("a path that the peer was heard on displaces one that nothing came in on") {
  fixture f(2);
  f.local(host("10.0.0.1:1"));
  f.remotes = {host("10.0.0.2:1"), relayed("192.0.2.8:1")};
  f.pair_all();
  auto learned = host("203.0.113.2:9");
  learned.kind = candidate_kind::peer_reflexive;
  CHECK(f.list.form(f.locals.doors()[0], learned, 0, role::controlling, true, anyone_may_go));
  CHECK(f.list.all().size() == 2);
}

TEST_CASE("priorities mirror each other at the two ends") {
  fixture mine;
  fixture theirs;
  const auto one = host("10.0.0.1:1", 100);
  const auto two = reflexive("203.0.113.2:2", "203.0.113.2:2", 200);
  mine.local(one);
  theirs.local(two);
  auto* p = mine.list.form(mine.locals.doors()[0], two, 0, role::controlling, false, anyone_may_go);
  auto* q =
      theirs.list.form(theirs.locals.doors()[0], one, 0, role::controlled, false, anyone_may_go);
  CHECK(p->priority == q->priority);
  mine.list.prioritise(role::controlled);
  CHECK(p->priority != q->priority);
  theirs.list.prioritise(role::controlling);
  CHECK(p->priority == q->priority);
}

TEST_CASE("better: fewer relays, then a much shorter round trip, then priority") {
  fixture f;
  const auto& near = f.valid("10.0.0.1:1", "10.0.0.2:1", candidate_kind::host, 30ms);
  const auto& mapped =
      f.valid("10.0.0.1:1", "203.0.113.2:1", candidate_kind::server_reflexive, 31ms);
  const auto& relay = f.valid("10.0.0.1:1", "192.0.2.8:1", candidate_kind::relayed, 5ms);
  const auto& fast = f.valid("10.0.0.3:1", "203.0.113.2:1", candidate_kind::server_reflexive, 5ms);
  CHECK(is_better(near, mapped));
  CHECK_FALSE(is_better(mapped, near));
  CHECK(is_better(mapped, relay));  // however fast the relay is
  CHECK(is_better(fast, near));     // a quarter of the round trip
  CHECK_FALSE(is_better(near, fast));
  pair newer = near;
  newer.generation = 1;
  CHECK(is_better(newer, fast));
}

TEST_CASE("two alternatives are kept warm: the best direct and the best relayed one") {
  fixture f;
  auto& chosen = f.valid("10.0.0.1:1", "10.0.0.2:1", candidate_kind::host, 10ms);
  auto& direct = f.valid("10.0.0.1:1", "203.0.113.2:1", candidate_kind::server_reflexive, 10ms);
  auto& slow = f.valid("10.0.0.3:1", "203.0.113.2:1", candidate_kind::server_reflexive, 90ms);
  auto& relay = f.valid("10.0.0.1:1", "192.0.2.8:1", candidate_kind::relayed, 10ms);
  auto& second = f.valid("10.0.0.3:1", "192.0.2.8:1", candidate_kind::relayed, 90ms);
  assign_upkeep(f.list, &chosen);
  CHECK(chosen.upkeep == duty::consent);
  CHECK(direct.upkeep == duty::backup);
  CHECK(slow.upkeep == duty::none);
  CHECK(relay.upkeep == duty::backup);
  CHECK(second.upkeep == duty::none);

  CHECK(best_alternative(f.list, &chosen, t0 - 1ns) == &direct);
  direct.answered = t0 - 1s;
  CHECK(best_alternative(f.list, &chosen, t0 - 1ns) == &slow);
  slow.state = pair_state::failed;
  CHECK(best_alternative(f.list, &chosen, t0 - 1ns) == &relay);
  CHECK(best_alternative(f.list, &chosen, t0) == nullptr);
}

TEST_CASE("intervals are spread between 0.8 and 1.2") {
  seeded_random random;
  duration least = 1h;
  duration most{};
  for (int n = 0; n < 1000; ++n) {
    const auto d = jittered(5s, random);
    least = std::min(least, d);
    most = std::max(most, d);
  }
  CHECK(least >= 4s);
  CHECK(least < 4100ms);
  CHECK(most <= 6s);
  CHECK(most > 5900ms);
}

TEST_CASE("which nomination the controlled side follows") {
  fixture f;
  auto& high = f.valid("10.0.0.1:1", "10.0.0.2:1", candidate_kind::host, 10ms);
  auto& low = f.valid("10.0.0.1:1", "192.0.2.8:1", candidate_kind::relayed, 10ms);
  followed_nomination followed;
  CHECK_FALSE(followed.any());
  CHECK(followed.accepts(low, std::nullopt, &high, t0));  // the first, whatever it is

  SUBCASE("with numbers the highest wins, whatever the priority") {
    followed.follow(5, t0);
    CHECK(followed.accepts(low, 6, &high, t0));
    CHECK_FALSE(followed.accepts(high, 4, &low, t0 + 1h));
    CHECK_FALSE(followed.accepts(low, 5, &high, t0 + 1h));
  }
  SUBCASE("without, an aggressive peer's best pair wins, and later the latest") {
    followed.follow(std::nullopt, t0);
    CHECK(followed.accepts(high, std::nullopt, &low, t0 + 10ms));
    CHECK_FALSE(followed.accepts(low, std::nullopt, &high, t0 + 10ms));
    CHECK(followed.accepts(low, std::nullopt, &high, t0 + 2s));
  }
  SUBCASE("a number never goes down") {
    followed.follow(5, t0);
    followed.follow(3, t0);
    CHECK_FALSE(followed.accepts(high, 4, &low, t0));
  }
}
