// Deeds and faults in random order: never are two connections given messages that were for one name
// under one generation, nor does anything reach another server from who has lost its name, whoever
// asks for something hears of it within 2 s, and when the faults are over, every name has one owner
// at most, of whom its server, Redis and the client are of one mind.

#include "tests/signaling/cluster/servers.hpp"

using namespace nat;
using namespace nat::test;

namespace {

constexpr std::size_t servers = 3, names = 4;

struct life {
  explicit life(std::uint64_t seed) : all(servers, seed), random(seed * 7919 + 1) {}

  void deed() {
    const auto at = random_below(random, servers);
    switch (random_below(random, 34)) {
      case 0:
        all.freeze(at, true);
        frozen[at] = true;
        break;
      case 1:
      case 2:
        all.freeze(at, false);
        frozen[at] = false;
        break;
      case 3:
        all.cut(at, true);
        break;
      case 4:
      case 5:
        all.cut(at, false);
        break;
      case 6:
        all.redis.forget_everything();
        for (std::size_t i = 0; i < servers; ++i) all.disconnect(i);
        break;
      case 7:
        if (!frozen[at]) all.drop_subscription(at);
        break;
      case 8:
        if (!frozen[at]) all.forget_subscription(at);
        break;
      case 9:
      case 10:
        claim_and_go(at);
        break;
      case 11:
        // Taken over at once, before anybody hears again what is published.
        if (!frozen[at]) all.drop_subscription(at);
        talk((at + 1) % servers);
        break;
      case 12:
        all.redis.leases.erase("node" + std::to_string(at));
        break;
      case 13:
      case 14:
      case 15:
      case 16:
        speak_again(at);
        break;
      case 17:
        all.pass(std::chrono::milliseconds(random_below(random, 14'000)));
        break;
      default:
        talk(at);
    }
    all.pass(std::chrono::milliseconds(random_below(random, 700)));
  }

  // Someone registers on a server and speaks to a name, wherever it may be.
  void talk(std::size_t at) {
    if (frozen[at]) return;
    const auto name = "n" + std::to_string(random_below(random, names));
    const auto c = all.connect(at);
    const bool shows = random_below(random, 2) == 0;
    all.enter(c, name, shows ? secrets[name] : "");
    all.pass(2s);
    auto answer = all.heard(c);
    if (auto secret = all.secret_in(answer); !secret.empty()) secrets[name] = std::move(secret);
    CHECK((!answer.empty() || !all.closed(c).empty()));
    if (!all.closed(c).empty()) return;
    all.offer(c, "n" + std::to_string(random_below(random, names)));
  }

  // Someone who has long had a name, and may have lost it without knowing.
  void speak_again(std::size_t at) {
    const auto who = all.named(at);
    if (frozen[at] || who.empty()) return;
    all.offer(who[random_below(random, who.size())],
              "n" + std::to_string(random_below(random, names)));
  }

  // Someone asks for a name and is gone before the answer.
  void claim_and_go(std::size_t at) {
    if (frozen[at]) return;
    const auto name = "n" + std::to_string(random_below(random, names));
    const auto c = all.connect(at);
    all.hold = true;
    all.enter(c, name, secrets[name]);
    all.leave(c, random_below(random, 2) == 0 ? hub::ending::clean : hub::ending::unclean);
    all.hold = false;
    all.settle();
  }

  cluster_servers all;
  seeded_random random;
  std::map<std::string, std::string> secrets;
  bool frozen[servers] = {};
};

}  // namespace

TEST_CASE("cluster: never two owners to whom a message is delivered under one generation") {
  std::size_t delivered = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    CAPTURE(seed);
    life l(seed);
    for (int i = 0; i < 120 && !l.all.two_owners; ++i) l.deed();
    CHECK_FALSE(l.all.two_owners);
    CHECK(l.all.redis.published_for_the_outdated == 0);
    delivered += l.all.delivered.size();
    // And all of them find together again.
    for (std::size_t i = 0; i < servers; ++i) l.all.freeze(i, false), l.all.cut(i, false);
    l.all.pass(20s);
    for (std::size_t i = 0; i < servers; ++i) CHECK(l.all.part(i).state() == cluster::state::up);
    CHECK(l.all.quarrel() == "");
    const auto al = l.all.join(0, "al"), bob = l.all.join(1, "bob");
    l.all.heard(bob);
    l.all.offer(al, "bob");
    CHECK(l.all.heard(bob).find("\"offer\"") != std::string::npos);
  }
  CHECK(delivered > 500);
}
