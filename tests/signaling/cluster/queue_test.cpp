// What waits for Redis: answers, claims and releases keep each other from it for a bounded time
// only, and in bounded memory.

#include <deque>

#include "tests/signaling/cluster/servers.hpp"

using namespace nat;
using namespace nat::test;

TEST_CASE("cluster: offers are acknowledged, and refused, beside claims that wait") {
  cluster_servers all(2);
  const auto al = all.join(0, "al"), bob = all.join(1, "bob"), gone = all.join(1, "gone");
  all.heard(al), all.heard(bob);
  all.per_name = 1ms;
  all.hold = true;
  for (int i = 0; i < 600; ++i) all.join(1, "a" + std::to_string(i));
  all.leave(gone, hub::ending::clean);  // of which Redis hears after them
  all.hold = false;
  all.offer(al, "bob");
  all.offer(al, "gone");
  for (int ms = 0; ms < 2000; ++ms) {  // as many come as Redis takes
    all.join(1, "b" + std::to_string(ms));
    all.pass(1ms);
  }
  CHECK(all.heard(bob) == R"({"type":"offer","from":"al","sdp":"x"})");
  const auto told = all.heard(al);
  CHECK(told.contains("peer-not-found"));
  CHECK(told.contains("gone"));
  CHECK_FALSE(told.contains("bob"));
  CHECK(all.part(0).stats().acknowledgements_missing == 0);
  all.pass(2s);
  CHECK(all.part(1).names() == 2601);  // nor do answers keep claims from it
}

TEST_CASE("cluster: a claim is refused in time, whatever is let go of before it") {
  cluster_servers all(1);
  std::vector<cluster_client> crowd;
  for (int i = 0; i < 5000; ++i) crowd.push_back(all.join(0, "n" + std::to_string(i)));
  all.per_name = 500us;  // 2.5 s for all of them
  all.hold = true;
  for (const auto& c : crowd) all.leave(c, hub::ending::clean);
  const auto asks = all.join(0, "al");
  all.hold = false;
  all.settle();
  all.pass(1499ms);
  CHECK(all.heard(asks).empty());
  all.pass(1ms);
  CHECK(all.heard(asks).contains("cluster-unavailable"));
  all.pass(2s);
  CHECK(all.redis.names.empty());
  all.enter(asks, "al");
  all.pass(1ms);
  CHECK(all.heard(asks).contains("registered"));
}

TEST_CASE("cluster: no claim waits longer than that where Redis falls silent over it") {
  cluster_servers all(1);
  all.per_name = 1ms;
  all.hold = true;
  std::vector<cluster_client> crowd;
  for (int i = 0; i < 2000; ++i) crowd.push_back(all.join(0, "n" + std::to_string(i)));
  all.hold = false;
  all.settle();
  all.pass(1300ms);
  all.per_name = 10s;
  all.pass(199ms);
  std::size_t given = 0;
  for (const auto& c : crowd) given += all.heard(c).contains("registered") ? 1 : 0;
  CHECK(given > 1000);
  CHECK(given < 1400);  // the others were under way, or waited
  all.pass(1ms);
  std::size_t refused = 0;
  for (const auto& c : crowd) refused += all.heard(c).contains("cluster-unavailable") ? 1 : 0;
  CHECK(given + refused == crowd.size());
}

TEST_CASE("cluster: a name that comes too late for its client is had by asking again") {
  cluster_servers all(1);
  const auto al = all.connect(0);
  all.per_name = 1ms;
  all.hold = true;
  std::vector<cluster_client> crowd;
  for (int i = 0; i < 1400; ++i) crowd.push_back(all.join(0, "n" + std::to_string(i)));
  all.enter(al, "late");
  all.hold = false;
  all.settle();
  all.pass(1390ms);
  all.per_name = 20ms;
  all.pass(110ms);
  CHECK(all.heard(al).contains("cluster-unavailable"));
  // What Redis gave meanwhile is its own, and is not told to be another's.
  std::string answer;
  int asked = 0;
  while (answer.empty() || answer.contains("cluster-unavailable")) {
    REQUIRE(++asked < 10);
    all.enter(al, "late");
    all.pass(200ms);
    answer = all.heard(al);
  }
  CHECK(answer.contains(R"("peer_id":"late")"));
  CHECK(asked > 1);
  CHECK(all.redis.names.contains("late"));
  CHECK(all.quarrel() == "");
}

TEST_CASE("cluster: who asks for a name after it was let go of gets it, however much waits") {
  cluster_servers all(1);
  std::vector<cluster_client> crowd;
  for (int i = 0; i < 2000; ++i) crowd.push_back(all.join(0, "n" + std::to_string(i)));
  all.per_name = 500us;
  const auto before = all.connect(0), after = all.connect(0);
  all.hold = true;
  all.enter(before, "n1999");
  all.hold = false;
  all.settle();
  all.pass(1ms);
  CHECK(all.heard(before).contains("id-taken"));
  all.hold = true;
  for (const auto& c : crowd) all.leave(c, hub::ending::clean);
  all.enter(after, "n1999");
  all.hold = false;
  all.settle();
  all.pass(1200ms);
  CHECK(all.heard(after).contains("registered"));
  CHECK(all.quarrel() == "");
}

namespace {

// A server that is up, whose Redis answers when it is told to.
struct lone_server {
  lone_server() {
    part.start(now);
    for (const auto which : {cluster::line::commands, cluster::line::inbox}) {
      part.handle_connected(which, now);
    }
    hear("subscribe", "1");
    poll();
    while (!asked.empty()) (void)answer();
    REQUIRE(part.state() == cluster::state::up);
  }
  void hear(const std::string& what, const std::string& text) {
    reply r{.what = reply::type::array};
    for (const auto& word : {what, std::string("here"), text}) {
      r.items.push_back({.what = reply::type::text, .text = word});
    }
    part.handle_reply(cluster::line::inbox, r, now);
  }
  // Word for a peer that is not here, which is to be answered.
  void hear_offer(const std::string& node, std::uint64_t id) {
    std::string out;
    cluster::append_record(
        out, "D 7 0 0 " +
                 cluster::route_record(id, node, {0, 1, 5}, hub::request_type::offer, "bob", "{}"));
    hear("message", out);
  }
  void poll() {
    while (auto a = part.poll_action(now)) {
      const bool command = a->where == cluster::line::commands;
      if (command && a->what == cluster::action::type::send) asked.push_back(std::move(a->words));
    }
  }
  // The oldest command; its reply may bring others.
  words answer() {
    auto first = std::move(asked.front());
    asked.pop_front();
    part.handle_reply(cluster::line::commands, {.what = reply::type::integer, .integer = 1}, now);
    poll();
    return first;
  }

  hub::fence fence;
  seeded_random random{1};
  cluster::member part{{.node = "n"}, fence, random};
  std::deque<words> asked;
  const time_point now{1h};
};

}  // namespace

TEST_CASE_FIXTURE(lone_server, "cluster: answers leave in order, in publications of bounded size") {
  constexpr std::uint64_t all = 100'000;
  for (std::uint64_t id = 1; id <= all; ++id) hear_offer("other", id);
  poll();
  std::uint64_t next = 1;
  std::size_t most_at_once = 0, largest = 0;
  bool good = true;
  while (!asked.empty()) {
    most_at_once = std::max(most_at_once, asked.size());
    const auto command = answer();
    REQUIRE(command.size() == 3);
    CHECK(command[0] == "PUBLISH");
    CHECK(command[1] == cluster::inbox_channel("other"));
    largest = std::max(largest, command[2].size());
    good = good && cluster::read_records(command[2], [&](const cluster::record& r) {
             good = good && r.what == 'N' && r.id == next++ && r.target == "bob";
           });
  }
  CHECK(good);
  CHECK(next == all + 1);
  CHECK(largest < 66'000);
  CHECK(most_at_once == 16);
}

TEST_CASE_FIXTURE(lone_server, "cluster: of too many answers the oldest are left out") {
  constexpr auto most = cluster::member::max_waiting_publications;
  for (std::size_t i = 0; i < most + 100; ++i) hear_offer("node" + std::to_string(i), 1);
  poll();
  for (std::size_t i = 100; i < most + 100; ++i) {  // the others' senders hear by waiting
    REQUIRE_FALSE(asked.empty());
    CHECK(answer()[1] == cluster::inbox_channel("node" + std::to_string(i)));
  }
  CHECK(asked.empty());
  hear_offer("node0", 2);
  poll();
  REQUIRE(asked.size() == 1);
  CHECK(answer()[1] == cluster::inbox_channel("node0"));
}
