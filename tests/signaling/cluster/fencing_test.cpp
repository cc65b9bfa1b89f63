// Whatever happens in whatever order: never are two connections given messages that were for one
// name under one generation, and whoever asks for something hears of it within 2 s.

#include "tests/signaling/cluster/servers.hpp"

using namespace nat;
using namespace nat::test;

namespace {

constexpr std::size_t servers = 3, names = 4;

struct life {
  explicit life(std::uint64_t seed) : all(servers, seed), random(seed * 7919 + 1) {}

  void deed() {
    const auto at = random_below(random, servers);
    switch (random_below(random, 24)) {
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
    if (const auto secret = answer.find("\"resume\":\""); secret != answer.npos) {
      secrets[name] = answer.substr(secret + 10, 24);
    }
    CHECK((!answer.empty() || !all.closed(c).empty()));
    all.offer(c, "n" + std::to_string(random_below(random, names)));
  }

  cluster_servers all;
  seeded_random random;
  std::map<std::string, std::string> secrets;
  bool frozen[servers] = {};
};

}  // namespace

TEST_CASE("cluster: never two owners to whom a message is delivered under one generation") {
  std::size_t delivered = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    life l(seed);
    for (int i = 0; i < 120 && !l.all.two_owners; ++i) l.deed();
    CHECK_FALSE(l.all.two_owners);
    delivered += l.all.delivered.size();
    // And all of them find together again.
    for (std::size_t i = 0; i < servers; ++i) l.all.freeze(i, false), l.all.cut(i, false);
    l.all.pass(20s);
    for (std::size_t i = 0; i < servers; ++i) CHECK(l.all.part(i).state() == cluster::state::up);
    const auto al = l.all.join(0, "al"), bob = l.all.join(1, "bob");
    l.all.heard(bob);
    l.all.offer(al, "bob");
    CHECK(l.all.heard(bob).find("\"offer\"") != std::string::npos);
  }
  CHECK(delivered > 500);
}
