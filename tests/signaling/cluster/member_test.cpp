// Servers in a cluster, and each fault of SIGNALING.md's table, in virtual time.

#include "tests/signaling/cluster/servers.hpp"

using namespace nat;
using namespace nat::test;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}
std::string secret_in(const std::string& text) {
  return cluster_servers::secret_in(text);
}

}  // namespace

TEST_CASE("cluster: a name is one server's, and messages find it from any other") {
  cluster_servers all(3);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob");
  CHECK(has(all.heard(al), "registered"));
  CHECK(has(all.heard(bob), "registered"));
  all.offer(al, "bob");
  CHECK(has(all.heard(bob), R"({"type":"offer","from":"al","sdp":"x"})"));
  all.say(bob, R"({"type":"answer","target":"al","sdp":"y"})");
  CHECK(has(all.heard(al), R"({"type":"answer","from":"bob","sdp":"y"})"));
  const auto thief = all.join(2, "al");
  CHECK(has(all.heard(thief), "id-taken"));
  all.offer(al, "carol");
  CHECK(has(all.heard(al), "peer-not-found"));
  all.pass(2s);
  CHECK(all.heard(al).empty());  // acknowledged: nothing follows
  CHECK(all.part(0).stats().acknowledgements_missing == 0);
}

TEST_CASE("cluster: two peers on one server never touch Redis") {
  cluster_servers all(1);
  const auto al = all.join(0, "al"), bob = all.join(0, "bob");
  all.heard(bob);
  const auto before = all.part(0).stats().commands;
  for (int i = 0; i < 100; ++i) all.offer(al, "bob");
  CHECK(has(all.heard(bob), "offer"));
  CHECK(all.part(0).stats().commands == before);
}

TEST_CASE("cluster: of a resume secret Redis is shown the hash alone") {
  cluster_servers all(2);
  const auto secret = secret_in(all.heard(all.join(0, "al")));
  REQUIRE(secret.size() == 24);
  const std::string wrong(64, 'w');
  for (const auto& shown : {secret, wrong}) {
    all.heard(all.join(1, "al", shown));
    CHECK_FALSE(has(all.asked, shown));
    CHECK(has(all.asked, cluster::hash_text(shown)));
  }
}

TEST_CASE("cluster: the resume secret takes a name to another server, and the old one is told") {
  cluster_servers all(2);
  const auto old = all.join(0, "al");
  const auto secret = secret_in(all.heard(old));
  REQUIRE(secret.size() == 24);
  const auto fresh = all.join(1, "al", secret);
  CHECK(secret_in(all.heard(fresh)) == secret);
  CHECK(all.closed(old) == "superseded");
  CHECK(all.part(0).names() == 0);
  const auto bob = all.join(0, "bob");
  all.offer(bob, "al");
  CHECK(has(all.heard(fresh), "offer"));
}

TEST_CASE("cluster: a clean end frees a name, an unclean one holds it for its owner") {
  cluster_servers all(2);
  auto al = all.join(0, "al");
  all.leave(al, hub::ending::clean);
  al = all.join(1, "al");
  const auto secret = secret_in(all.heard(al));
  REQUIRE_FALSE(secret.empty());
  all.leave(al, hub::ending::unclean);
  const auto bob = all.join(0, "bob");
  all.heard(bob);
  all.offer(bob, "al");
  CHECK(has(all.heard(bob), "peer-not-found"));
  const auto other = all.join(0, "al");
  CHECK(has(all.heard(other), "id-taken"));
  SUBCASE("the owner comes back") {
    CHECK(has(all.heard(all.join(0, "al", secret)), "registered"));
  }
  SUBCASE("it does not") {
    all.pass(30s);
    CHECK(has(all.heard(all.join(0, "al")), "registered"));
  }
}

TEST_CASE("cluster: a server is killed") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob");
  const auto secret = secret_in(all.heard(bob));
  all.heard(al);
  all.kill(1);
  all.offer(al, "bob");
  CHECK(has(all.heard(al), "peer-not-found"));  // at once
  CHECK(has(all.heard(all.join(0, "bob")), "id-taken"));
  SUBCASE("the owner takes its name at once") {
    CHECK(has(all.heard(all.join(0, "bob", secret)), "registered"));
  }
  SUBCASE("others within the lease") {
    all.pass(10s);
    CHECK(has(all.heard(all.join(0, "bob")), "registered"));
  }
}

TEST_CASE("cluster: what a frozen server gets ends as peer-not-found after 1.5 s") {
  cluster_servers all(2);
  const auto al = all.join(0, "al");
  all.join(1, "bob");
  all.heard(al);
  all.freeze(1, true);
  all.offer(al, "bob");
  all.pass(1499ms);
  CHECK(all.heard(al).empty());
  all.pass(1ms);
  CHECK(has(all.heard(al), "peer-not-found"));
  CHECK(all.part(0).stats().acknowledgements_missing == 1);
}

TEST_CASE("cluster: a server is frozen for longer than its lease, and comes back") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob"), eve = all.join(1, "eve");
  all.heard(eve);
  all.freeze(1, true);
  all.offer(al, "bob");
  all.pass(15s);
  const auto heir = all.join(0, "bob");
  CHECK(has(all.heard(heir), "registered"));
  all.heard(bob);
  all.hold = true;
  all.freeze(1, false);
  all.offer(bob, "eve");  // the first thing that it sees is a message between two of its own
  all.hold = false;
  all.settle();
  all.pass(1s);
  CHECK_FALSE(has(all.heard(eve), "offer"));
  CHECK(all.closed(bob) == "fenced");
  CHECK(all.closed(eve) == "fenced");
  CHECK(all.part(1).names() == 0);
  CHECK(all.part(1).state() == cluster::state::up);
  CHECK(all.part(1).stats().epochs == 2);
  all.heard(al);
  all.offer(al, "bob");
  CHECK(has(all.heard(heir), "offer"));
  CHECK(has(all.heard(all.join(1, "eve")), "registered"));
}

TEST_CASE("cluster: what waits to be written is void once the fence is passed, or a term began") {
  hub::limits limits;
  hub::announcement plan;
  seeded_random random(1);
  hub::registry names(limits, random);
  hub::penalties guessers(random);
  hub::exchange clients(0, limits, plan, names, guessers);
  const time_point now{1h};
  CHECK_FALSE(clients.fenced(now));
  hub::fence fence;
  clients.join_cluster(fence);
  CHECK_FALSE(clients.fenced(now));
  fence.renew(now + 9s);
  CHECK_FALSE(clients.fenced(now + 9s - 1ns));
  CHECK(clients.fenced(now + 9s));
  fence.new_term();
  fence.lift();
  CHECK(clients.fenced(now + 9s));
  clients.handle_timeout(now + 9s);  // all clients have been let go
  CHECK_FALSE(clients.fenced(now + 9s));
}

TEST_CASE("cluster: a lease ends in Redis before its time, unseen by its server") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob"), carol = all.join(1, "carol");
  all.heard(al), all.heard(bob), all.heard(carol);
  // Redis' clock was set, it was short of memory, or the server's machine stood still with its
  // clock.
  all.redis.leases.erase("node1");
  all.offer(al, "bob");
  CHECK(has(all.heard(al), "peer-not-found"));
  const auto heir = all.join(0, "carol");
  CHECK(has(all.heard(heir), "registered"));
  all.pass(3s);  // a refresh
  CHECK(all.part(1).state() == cluster::state::up);
  CHECK(all.part(1).stats().lapses == 1);
  CHECK(all.closed(carol) == "superseded");
  CHECK(all.closed(heir).empty());
  CHECK(all.closed(bob).empty());
  all.offer(al, "bob");
  CHECK(has(all.heard(bob), "offer"));
  CHECK(all.quarrel() == "");
  all.pass(20s);
  CHECK(all.part(1).stats().lapses == 1);
}

TEST_CASE("cluster: Redis restarts empty") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob");
  for (int i = 0; i < 2000; ++i) all.join(1, "n" + std::to_string(i));
  all.heard(al), all.heard(bob);
  const auto generation = all.redis.names["bob"].generation;
  all.redis.forget_everything();
  all.disconnect(0);
  all.disconnect(1);
  all.pass(100ms);
  CHECK(all.part(0).state() == cluster::state::up);
  CHECK(all.part(1).state() == cluster::state::up);
  CHECK(all.redis.names.size() == 2002);
  CHECK(all.redis.names["bob"].generation == generation);
  CHECK(all.redis.generation >= generation);
  all.offer(al, "bob");
  CHECK(has(all.heard(bob), "offer"));
  CHECK(all.closed(bob).empty());
}

TEST_CASE("cluster: after Redis lost its memory, the later owner of a name keeps it") {
  cluster_servers all(2);
  const auto old = all.join(0, "al");
  all.redis.forget_everything();
  all.disconnect(1);
  all.pass(100ms);
  const auto later = all.join(1, "al");  // before server 0 has noticed
  CHECK(has(all.heard(later), "registered"));
  all.disconnect(0);
  all.pass(100ms);
  CHECK(all.closed(old) == "superseded");
  CHECK(all.closed(later).empty());
}

TEST_CASE("cluster: Redis is away for 20 s") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), ann = all.join(0, "ann"), bob = all.join(1, "bob");
  const auto gone = all.join(0, "gone");
  const auto held = all.join(0, "held");
  const auto secret = secret_in(all.heard(held));
  all.heard(al), all.heard(ann), all.heard(bob);
  all.down = true;
  all.disconnect(0);
  all.disconnect(1);
  all.offer(al, "bob");
  CHECK(has(all.heard(al), "cluster-unavailable"));
  all.offer(al, "ann");
  CHECK(has(all.heard(ann), "offer"));
  const auto late = all.join(0, "late");
  CHECK(has(all.heard(late), "cluster-unavailable"));
  all.leave(gone, hub::ending::clean);
  all.leave(held, hub::ending::unclean);
  all.pass(20s);
  all.down = false;
  all.pass(3s);
  CHECK(all.part(0).state() == cluster::state::up);
  all.offer(al, "bob");
  CHECK(has(all.heard(bob), "offer"));
  all.enter(late, "late");
  CHECK(has(all.heard(late), "registered"));
  CHECK(has(all.heard(all.join(1, "gone")), "registered"));
  CHECK(has(all.heard(all.join(1, "held")), "id-taken"));
  CHECK(has(all.heard(all.join(1, "held", secret)), "registered"));
}

TEST_CASE("cluster: a Redis that does not answer is away after 1.5 s, and nobody waits longer") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob");
  const auto asking = all.connect(0);
  all.heard(al), all.heard(bob);
  all.cut(0, true);
  all.offer(al, "bob");
  all.enter(asking, "carol");
  all.pass(1500ms);
  CHECK(has(all.heard(al), "cluster-unavailable"));
  CHECK(has(all.heard(asking), "cluster-unavailable"));
  CHECK(all.part(0).state() == cluster::state::away);
  all.pass(12s);
  all.cut(0, false);
  all.pass(4s);
  CHECK(all.part(0).state() == cluster::state::up);
  CHECK(all.closed(al).empty());
  all.enter(asking, "carol");
  CHECK(has(all.heard(asking), "registered"));
  all.offer(bob, "al");
  CHECK(has(all.heard(al), "offer"));
}

TEST_CASE("cluster: who says more than Redis can carry takes it from nobody") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob");
  all.heard(al), all.heard(bob);
  all.per_name = 500us;  // 2,000 messages a second
  std::size_t busy = 0, other = 0, arrived = 0, registered = 0;
  for (int ms = 0; ms < 6000; ++ms) {
    all.pass(1ms);
    for (int i = 0; i < 5; ++i) all.offer(al, "bob");
    if (ms % 1000 == 0) {
      const auto asks = all.join(0, "n" + std::to_string(ms));
      all.pass(600ms);
      if (has(all.heard(asks), "registered")) ++registered;
    }
    const auto told = all.heard(al);
    busy += count(told, "peer-busy");
    other += count(told, "\"error\"") - count(told, "peer-busy");
    arrived += count(all.heard(bob), "offer");
  }
  CHECK(all.part(0).trouble() == "");
  CHECK(all.part(1).trouble() == "");
  CHECK(registered == 6);
  CHECK(busy > 10'000);
  CHECK(other == 0);
  CHECK(arrived > 8'000);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(all.part(i).state() == cluster::state::up);
    CHECK(all.part(i).stats().disconnects == 0);
    CHECK(all.part(i).stats().lapses == 0);
  }
  all.pass(2s);
  all.heard(al), all.heard(bob);
  all.offer(al, "bob");
  all.pass(10ms);
  CHECK(has(all.heard(bob), "offer"));
  CHECK(all.heard(al).empty());
}

TEST_CASE("cluster: many who leave at once take Redis from nobody") {
  cluster_servers all(2);
  std::vector<cluster_client> crowd;
  for (int i = 0; i < 5000; ++i) crowd.push_back(all.join(0, "n" + std::to_string(i)));
  all.per_name = 500us;
  all.hold = true;
  for (const auto& c : crowd) all.leave(c, hub::ending::clean);
  all.hold = false;
  all.settle();
  all.pass(4s);
  CHECK(all.part(0).state() == cluster::state::up);
  CHECK(all.part(0).stats().disconnects == 0);
  CHECK(all.redis.names.empty());
}

TEST_CASE("cluster: a claim whose reply was lost does not block its name") {
  cluster_servers all(2);
  const auto asking = all.connect(0);
  all.lose_answers(0, true);
  all.enter(asking, "al");
  REQUIRE(all.redis.names.contains("al"));
  all.lose_answers(0, false);
  all.disconnect(0);
  CHECK(has(all.heard(asking), "cluster-unavailable"));
  all.pass(4s);
  CHECK_FALSE(all.redis.names.contains("al"));
  all.enter(asking, "al");
  CHECK(has(all.heard(asking), "registered"));
}

TEST_CASE("cluster: a name taken back stays its owner's though the reply was lost") {
  cluster_servers all(2);
  const auto old = all.join(1, "al");
  const auto secret = secret_in(all.heard(old));
  const auto asking = all.connect(0);
  bool right = true;
  SUBCASE("of a live one") {}
  SUBCASE("of a held one") {
    all.leave(old, hub::ending::unclean);
  }
  SUBCASE("a secret that opens nothing") {
    all.leave(old, hub::ending::clean);
    right = false;
  }
  all.lose_answers(0, true);
  all.enter(asking, "al", secret);
  REQUIRE(all.redis.names["al"].node == "node0");
  all.lose_answers(0, false);
  all.disconnect(0);
  CHECK(has(all.heard(asking), "cluster-unavailable"));
  all.pass(4s);
  const auto thief = all.join(1, "al");
  if (!right) {
    CHECK(has(all.heard(thief), "registered"));
    return;
  }
  CHECK(has(all.heard(thief), "id-taken"));
  all.enter(asking, "al", secret);
  CHECK(has(all.heard(asking), "registered"));
}

TEST_CASE("cluster: of the names that a server leaves behind, so many are held") {
  constexpr std::size_t most = 100;
  cluster_servers all(2, 1, most);
  const auto leave_one = [&](const std::string& name) {
    const auto c = all.join(0, name);
    all.heard(c);
    all.leave(c, hub::ending::unclean);
  };
  for (std::size_t i = 0; i < most; ++i) leave_one("n" + std::to_string(i));
  CHECK(all.redis.names.size() == most);
  leave_one("one-more");
  CHECK(all.redis.names.size() == most);
  all.pass(30s);
  leave_one("later");
  CHECK(all.redis.names.contains("later"));
}

TEST_CASE("cluster: and so many of one address, or of one IPv6 /64") {
  constexpr std::size_t most = 10;
  cluster_servers all(2, 1, 100, most);
  const auto leave_one = [&](const char* from, const std::string& name) {
    all.from = *parse_address(from);
    const auto c = all.join(0, name);
    all.heard(c);
    all.leave(c, hub::ending::unclean);
    return all.redis.names.contains(name);
  };
  for (std::size_t i = 0; i < most; ++i) {
    CHECK(leave_one("2001:db8::1", 'a' + std::to_string(i)));
    CHECK(leave_one("192.0.2.1", 'b' + std::to_string(i)));
    all.pass(100ms);
  }
  CHECK_FALSE(leave_one("2001:db8::2", "of-that-64"));
  CHECK_FALSE(leave_one("192.0.2.1", "of-that-address"));
  CHECK(leave_one("2001:db8:0:1::1", "of-another-64"));
  CHECK(leave_one("192.0.2.2", "of-another-address"));
  all.pass(29s);  // a window after the first
  CHECK(leave_one("192.0.2.1", "later"));
  CHECK_FALSE(leave_one("192.0.2.1", "later-still"));
}

TEST_CASE("cluster: a dropped subscription is renewed, and meanwhile senders hear of it") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob");
  all.heard(al), all.heard(bob);
  all.drop_subscription(1);
  all.offer(al, "bob");
  CHECK(has(all.heard(al), "peer-not-found"));
  all.pass(50ms);
  all.offer(al, "bob");
  CHECK(has(all.heard(bob), "offer"));
  CHECK(all.part(1).stats().subscriptions == 1);
  CHECK(all.part(1).stats().disconnects == 0);
  // One that ends without anybody saying so is found by the server's word to itself.
  all.redis.subscribers.erase(cluster::inbox_channel("node1"));
  all.pass(4s);
  CHECK(all.part(1).stats().subscriptions == 2);
  all.offer(al, "bob");
  CHECK(has(all.heard(bob), "offer"));
}

TEST_CASE("cluster: a name taken over while its server was deaf is given up there") {
  cluster_servers all(2);
  const auto old = all.join(0, "al"), stays = all.join(0, "stays");
  const auto secret = secret_in(all.heard(old));
  SUBCASE("and the subscription's end was seen") {
    all.drop_subscription(0);
  }
  SUBCASE("and it was not") {
    all.forget_subscription(0);
  }
  const auto fresh = all.join(1, "al", secret);
  REQUIRE(has(all.heard(fresh), "registered"));
  all.pass(6s);
  CHECK(all.closed(old) == "superseded");
  CHECK(all.closed(fresh).empty());
  CHECK(all.closed(stays).empty());
  CHECK(all.part(0).names() == 1);
  CHECK(all.quarrel() == "");
}

TEST_CASE("cluster: who has lost a name while its server was deaf is not heard on any other") {
  cluster_servers all(2);
  const auto old = all.join(0, "al"), stays = all.join(0, "stays"), bob = all.join(1, "bob");
  const auto secret = secret_in(all.heard(old));
  all.forget_subscription(0);
  const auto fresh = all.join(1, "al", secret);
  REQUIRE(has(all.heard(fresh), "registered"));
  all.heard(bob);
  REQUIRE(all.closed(old).empty());
  all.hold = true;
  all.say(old, R"({"type":"candidate","target":"bob","candidate":null})");
  all.offer(old, "bob");
  all.offer(stays, "bob", "of another");  // in the same call of the script
  all.hold = false;
  all.settle();
  CHECK(all.heard(bob) == R"({"type":"offer","from":"stays","sdp":"of another"})");
  CHECK(all.closed(old) == "superseded");
  CHECK(all.closed(fresh).empty());
  CHECK(all.part(0).stats().superseded == 1);
  // What its owner says before it goes is not lost for that.
  all.hold = true;
  all.say(stays, R"({"type":"bye","target":"bob"})");
  all.leave(stays, hub::ending::clean);
  all.hold = false;
  all.settle();
  CHECK(all.heard(bob) == R"({"type":"bye","from":"stays"})");
}

TEST_CASE("cluster: names are looked after beside a claim of one of them") {
  cluster_servers all(1);
  const auto old = all.join(0, "al");
  const auto secret = secret_in(all.heard(old));
  all.drop_subscription(0);
  all.pass(49ms);
  const auto fresh = all.connect(0);
  all.cut(0, true);  // both commands are under way at once
  all.enter(fresh, "al", secret);
  all.cut(0, false);
  all.pass(1s);
  CHECK(has(all.heard(fresh), "registered"));
  CHECK(all.closed(old) == "superseded");
  CHECK(all.quarrel() == "");
}

TEST_CASE("cluster: a takeover whose client is gone before the answer") {
  cluster_servers all(2);
  const auto old = all.join(0, "al");
  const auto secret = secret_in(all.heard(old));
  bool live = true;
  SUBCASE("of a name that is live on the same server") {}
  SUBCASE("of a name that is held") {
    all.leave(old, hub::ending::unclean);
    live = false;
  }
  const auto hasty = all.connect(0);
  all.hold = true;
  all.enter(hasty, "al", secret);
  all.leave(hasty, hub::ending::clean);
  all.hold = false;
  all.settle();
  if (live) CHECK(all.closed(old) == "superseded");
  CHECK(all.part(0).names() == 0);
  CHECK(all.quarrel() == "");
  CHECK(has(all.heard(all.join(1, "al")), "id-taken"));  // held for who knows the secret
  CHECK(has(all.heard(all.join(1, "al", secret)), "registered"));
}

TEST_CASE("cluster: a release while joining does not keep other names from being claimed again") {
  cluster_servers all(1);
  const auto gone = all.join(0, "gone");
  all.join(0, "stays");
  all.redis.forget_everything();
  all.disconnect(0);
  all.pass(10ms);
  all.hold = true;
  all.pass(90ms);  // connected, and nothing answered yet
  all.leave(gone, hub::ending::clean);
  all.hold = false;
  all.settle();
  all.pass(1s);
  CHECK(all.part(0).state() == cluster::state::up);
  CHECK(all.redis.names.contains("stays"));
  CHECK(all.quarrel() == "");
}

// One that has begun, and is spoken to by hand.
struct lone_member {
  lone_member() { part.start(now); }

  hub::fence fence;
  seeded_random random{1};
  cluster::member part{{.node = "n", .password = "hunter2"}, fence, random};
  const time_point now{1h};
};

TEST_CASE_FIXTURE(
    lone_member,
    "cluster: an error of Redis is told by its first word, as the rest may hold a secret") {
  part.handle_connected(cluster::line::commands, now);
  SUBCASE("a known one") {
    part.handle_reply(
        cluster::line::commands,
        {.what = reply::type::error, .text = "ERR unknown command, beginning with: 'hunter2'"},
        now);
    CHECK(part.trouble() == "Redis answered: ERR");
  }
  SUBCASE("none") {
    part.handle_reply(cluster::line::commands, {.what = reply::type::error, .text = "hunter2"},
                      now);
    CHECK(part.trouble() == "Redis answered: an error");
  }
}

TEST_CASE_FIXTURE(
    lone_member,
    "cluster: of several replies that came at once, the first error is the one that counts") {
  part.handle_connected(cluster::line::inbox, now);
  for (const char* text : {"WRONGPASS no", "NOAUTH no"}) {
    part.handle_reply(cluster::line::inbox, {.what = reply::type::error, .text = text}, now);
  }
  CHECK(part.trouble() == "Redis answered: WRONGPASS");
  CHECK(part.stats().disconnects == 1);
}
