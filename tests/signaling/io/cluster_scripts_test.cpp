// The scripts of a cluster, by one table, on a real Redis and on the one that test_cluster believes
// in: what holds there in virtual time holds because both answer this alike.

#include <functional>
#include <memory>

#include "tests/check.hpp"
#include "tests/signaling/cluster/fake_redis.hpp"
#include "tests/signaling/io/redis_process.hpp"

namespace nat::test {
namespace {

using namespace std::chrono_literals;
using cluster::inbox_channel;
using cluster::lease_key;
using cluster::name_key;
using cluster::script;

// A Redis without keys, in which servers "one" and "two" listen to their inboxes.
class script_host {
 public:
  virtual ~script_host() = default;
  virtual reply ask(const words&) = 0;
  // What was published to that server since it was asked last.
  virtual words heard(const std::string& node) = 0;
  virtual std::uint64_t clock_us() = 0;
};

class fake_host final : public script_host {
 public:
  fake_host() {
    redis_.subscribers[inbox_channel("one")];
    redis_.subscribers[inbox_channel("two")];
  }
  reply ask(const words& w) override { return redis_.execute(w, now_); }
  words heard(const std::string& node) override {
    const auto box = std::exchange(redis_.subscribers[inbox_channel(node)], {});
    return {box.begin(), box.end()};
  }
  std::uint64_t clock_us() override {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count());
  }

 private:
  fake_redis redis_;
  time_point now_{1h};
};

class real_host final : public script_host {
 public:
  real_host() {
    for (const auto* s : {&cluster::claim_script(), &cluster::route_script(),
                          &cluster::release_script(), &cluster::recover_script()}) {
      REQUIRE(ask({"SCRIPT", "LOAD", s->text}).text == s->sha);
    }
    for (const char* node : {"one", "two"}) inbox_.ask({"SUBSCRIBE", inbox_channel(node)});
  }
  reply ask(const words& w) override { return commands_.ask(w); }
  words heard(const std::string& node) override {
    words out;
    ask({"PUBLISH", inbox_channel(node), "end"});
    for (;;) {
      const auto r = inbox_.hear();
      if (r.items.at(1).text != inbox_channel(node)) {
        others_.push_back(r);
      } else if (r.items.at(2).text == "end") {
        break;
      } else {
        out.push_back(r.items.at(2).text);
      }
    }
    std::erase_if(others_, [&](const reply& r) {
      if (r.items[1].text != inbox_channel(node)) return false;
      out.push_back(r.items[2].text);
      return true;
    });
    return out;
  }
  std::uint64_t clock_us() override {
    const auto t = ask({"TIME"});
    return std::stoull(t.items.at(0).text) * 1'000'000 + std::stoull(t.items.at(1).text);
  }

 private:
  redis_process redis_;
  redis_client commands_{redis_}, inbox_{redis_};
  std::vector<reply> others_;
};

// Calls of the scripts, in few words.
class caller {
 public:
  explicit caller(script_host& h) : host(h) {}

  void lease(const std::string& node, const std::string& epoch) const {
    REQUIRE(host.ask({"SET", lease_key(node), epoch, "PX", "60000"}).text == "OK");
  }
  reply run(const script& s, const words& keys, const words& arguments) const {
    words all{"EVALSHA", s.sha, std::to_string(keys.size())};
    for (const auto& name : keys) all.push_back(name_key(name));
    all.insert(all.end(), arguments.begin(), arguments.end());
    auto r = host.ask(all);
    REQUIRE_MESSAGE(r.what != reply::type::error, r.text);
    return r;
  }
  // "taken", "new", or "back" where the secret did it; generation is then its.
  std::string claim(const std::string& node, const std::string& epoch, const std::string& name,
                    const std::string& fresh, const std::string& shown = {}) {
    const auto r =
        run(cluster::claim_script(), {name}, {node, epoch, "1", "2", fresh, shown, name});
    if (r.items.size() == 1 && r.items[0].integer == 0) return "taken";
    REQUIRE(r.items.size() == 3);
    CHECK(r.items[0].integer == 1);
    generation = std::stoull(r.items[1].text);
    return r.items[2].text == "1" ? "back" : "new";
  }
  // Each from a sender of its own, unless a name and its generation are given.
  std::vector<int> route(const words& targets, const words& records, const words& senders = {},
                         const std::vector<std::uint64_t>& generations = {}) const {
    words names, arguments;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      names.insert(names.end(), {targets[i], senders.empty() ? "unknown" : senders[i]});
      arguments.insert(arguments.end(),
                       {records[i], generations.empty() ? "1" : std::to_string(generations[i])});
    }
    std::vector<int> out;
    for (const auto& i : run(cluster::route_script(), names, arguments).items) {
      out.push_back(static_cast<int>(i.integer));
    }
    return out;
  }
  bool reaches(const std::string& name) const { return route({name}, {"x"}).at(0) == 1; }
  std::int64_t release(const std::string& name, std::uint64_t which,
                       const std::string& hold) const {
    return run(cluster::release_script(), {name}, {std::to_string(which), hold}).integer;
  }
  std::int64_t recover(const std::string& node, const std::string& epoch, const std::string& name,
                       std::uint64_t which, const std::string& mode,
                       const std::string& hash = "kept") const {
    const auto r = run(cluster::recover_script(), {name},
                       {node, epoch, std::to_string(which), "3", "4", hash, mode});
    REQUIRE(r.items.size() == 1);
    return r.items[0].integer;
  }

  script_host& host;
  std::uint64_t generation = 0;
};

std::string lost(std::uint64_t generation, const std::string& name,
                 const std::string& place = "1 2") {
  std::string out;
  cluster::append_record(out, "S " + std::to_string(generation) + ' ' + place + ' ' + name);
  return out;
}

// Every case is run on both.
void on_both(const std::function<void(caller&)>& run) {
  SUBCASE("the fake one") {
    fake_host host;
    caller c(host);
    run(c);
  }
  SUBCASE("a real one") {
    real_host host;
    caller c(host);
    run(c);
  }
}

TEST_CASE("scripts: claim, by who owns the name and the secret shown") {
  struct row {
    std::string_view owner;  // of node "one"
    std::string claimer, shown;
    std::string_view told;
    bool word_to_one = false;
  };
  on_both([](caller& c) {
    int n = 0;
    for (const auto& [owner, claimer, shown, told, word] : std::vector<row>{
             {"nobody", "two", "", "new"},
             {"nobody", "two", "hash", "new"},
             {"live", "two", "", "taken"},
             {"live", "two", "other", "taken"},
             {"live", "two", "hash", "back", true},
             {"live", "one", "", "taken"},
             {"live", "one", "other", "taken"},
             {"live", "one", "hash", "back"},  // its own registry knows
             {"without a lease", "two", "", "new"},
             {"without a lease", "two", "other", "new"},
             {"without a lease", "two", "hash", "new"},
             {"of an old epoch", "two", "", "new"},
             {"of an old epoch", "two", "hash", "new"},
             {"of an old epoch", "one", "hash", "new"},
             {"held", "two", "", "taken"},
             {"held", "two", "other", "taken"},
             {"held", "two", "hash", "back"},
             {"held", "one", "hash", "back"},
         }) {
      CAPTURE(owner);
      CAPTURE(claimer);
      CAPTURE(shown);
      const auto name = "n" + std::to_string(n++);
      const bool gone = owner == "without a lease", old = owner == "of an old epoch";
      c.lease("one", "e1");
      c.lease("two", "e2");
      if (owner != "nobody") {
        CHECK(c.claim(gone ? "gone" : "one", old ? "e0" : "e1", name, "hash") == "new");
      }
      const auto before = c.generation;
      if (owner == "held") CHECK(c.release(name, before, "60000") == 1);
      CHECK(c.claim(claimer, claimer == "one" ? "e1" : "e2", name, "fresh", shown) == told);
      CHECK(c.host.heard("one") == (word ? words{lost(before, name)} : words{}));
      CHECK(c.host.heard("two").empty());
      if (told == "taken") continue;
      CHECK(c.generation > before);
      // Which secret is the name's from here on.
      CHECK(c.claim("two", "e2", name, "later", told == "back" ? "hash" : "fresh") == "back");
      c.host.heard("one");
    }
  });
}

TEST_CASE("scripts: the generation is never less than the clock, nor than any before") {
  on_both([](caller& c) {
    c.lease("one", "e1");
    const auto clock = c.host.clock_us();
    std::uint64_t last = 0;
    for (int n = 0; n < 200; ++n) {
      REQUIRE(c.claim("one", "e1", "n" + std::to_string(n), "hash") == "new");
      CHECK(c.generation > last);
      CHECK(c.generation >= clock);
      last = c.generation;
    }
    // A recovered one of another Redis' clock, an hour ahead.
    const auto ahead = c.host.clock_us() + 3'600'000'000;
    CHECK(c.recover("one", "e1", "al", ahead, "keep") == 1);
    CHECK(c.claim("one", "e1", "bob", "hash") == "new");
    CHECK(c.generation == ahead + 1);
  });
}

TEST_CASE("scripts: route") {
  on_both([](caller& c) {
    c.lease("one", "e1");
    c.lease("two", "e2");
    c.lease("deaf", "e3");
    CHECK(c.claim("one", "e1", "al", "hash") == "new");
    const auto al = std::to_string(c.generation);
    CHECK(c.claim("one", "e1", "ann", "hash") == "new");
    const auto ann = std::to_string(c.generation);
    CHECK(c.claim("two", "e2", "bob", "hash") == "new");
    const auto bob = std::to_string(c.generation);
    CHECK(c.claim("deaf", "e3", "nobody hears", "hash") == "new");
    CHECK(c.claim("gone", "e4", "dead", "hash") == "new");
    CHECK(c.claim("one", "e0", "old", "hash") == "new");
    CHECK(c.claim("two", "e2", "held", "hash") == "new");
    CHECK(c.release("held", c.generation, "60000") == 1);
    CHECK(c.route({"al", "nowhere", "bob", "dead", "ann", "held", "old", "nobody hears", "al"},
                  {"r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9 with blanks\r\n"}) ==
          std::vector{1, 0, 1, 0, 1, 0, 0, 0, 1});
    const auto records = [](const words& all) {
      std::string out;
      for (const auto& r : all) cluster::append_record(out, r);
      return out;
    };
    const auto together = [](const words& all) {
      std::string out;
      for (const auto& text : all) out += text;
      return out;
    };
    CHECK(together(c.host.heard("one")) == records({"D " + al + " 1 2 r1", "D " + ann + " 1 2 r5",
                                                    "D " + al + " 1 2 r9 with blanks\r\n"}));
    CHECK(together(c.host.heard("two")) == records({"D " + bob + " 1 2 r3"}));
    // A server that is back finds what it had to be gone, but not what nobody happened to hear.
    c.lease("gone", "e4");
    c.lease("one", "e0");
    CHECK_FALSE(c.reaches("dead"));
    CHECK_FALSE(c.reaches("old"));
    CHECK(c.claim("two", "e2", "dead", "hash") == "new");
    CHECK(c.claim("two", "e2", "nobody hears", "hash2") == "taken");
  });
}

TEST_CASE("scripts: route looks at the sender: a name that a later generation had is another's") {
  on_both([](caller& c) {
    c.lease("one", "e1");
    c.lease("two", "e2");
    CHECK(c.claim("one", "e1", "al", "hash") == "new");
    const auto before = c.generation;
    CHECK(c.claim("two", "e2", "al", "fresh", "hash") == "back");
    const auto al = c.generation;
    CHECK(c.claim("two", "e2", "bob", "hash") == "new");
    const auto bob = c.generation;
    CHECK(c.claim("one", "e1", "held", "hash") == "new");
    const auto held = c.generation;
    CHECK(c.release("held", held, "60000") == 1);
    CHECK(c.claim("gone", "e3", "dead", "hash") == "new");
    c.host.heard("one"), c.host.heard("two");
    CHECK(c.route({"bob", "bob", "bob", "bob", "bob", "bob", "dead", "nowhere"},
                  {"r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"},
                  {"al", "al", "al", "held", "held", "nobody", "al", "al"},
                  {al, before, al + 1, held, held - 1, 1, before, before}) ==
          std::vector{1, 2, 1, 1, 2, 1, 2, 2});
    std::string all, got;
    for (const auto* r : {"r1", "r3", "r4", "r6"}) {
      cluster::append_record(all, "D " + std::to_string(bob) + " 1 2 " + r);
    }
    for (const auto& text : c.host.heard("two")) got += text;
    CHECK(got == all);
  });
}

TEST_CASE("scripts: a refresh tells whether the lease was there") {
  on_both([](caller& c) {
    const auto refresh = [&](const std::string& epoch) {
      return c.host.ask({"SET", lease_key("one"), epoch, "PX", "60000", "GET"});
    };
    CHECK(refresh("e1").what == reply::type::nil);
    CHECK(refresh("e1").text == "e1");
    CHECK(refresh("e2").text == "e1");
    CHECK(c.claim("one", "e2", "al", "hash") == "new");
    CHECK(c.reaches("al"));
  });
}

TEST_CASE("scripts: release") {
  on_both([](caller& c) {
    c.lease("one", "e1");
    CHECK(c.release("al", 7, "0") == 0);
    CHECK(c.claim("one", "e1", "al", "hash") == "new");
    const auto own = c.generation;
    for (const auto other : {own - 1, own + 1, std::uint64_t{0}}) {
      CHECK(c.release("al", other, "0") == 0);
      CHECK(c.release("al", other, "60000") == 0);
      CHECK(c.reaches("al"));
    }
    CHECK(c.release("al", own, "60000") == 1);
    CHECK_FALSE(c.reaches("al"));
    CHECK(c.release("al", own, "0") == 0);  // held: it is its owner's no more
    CHECK(c.claim("one", "e1", "al", "fresh") == "taken");
    CHECK(c.claim("one", "e1", "al", "fresh", "hash") == "back");
    CHECK(c.release("al", own, "0") == 0);
    CHECK(c.release("al", c.generation, "0") == 1);
    CHECK(c.claim("one", "e1", "al", "fresh") == "new");
  });
}

TEST_CASE("scripts: recover, by what stands there and whether it is later") {
  enum class word : std::uint8_t { none, to_two };
  struct row {
    std::string_view there;
    bool later;  // than what is recovered
    std::string mode;
    std::int64_t kept;
    word told = word::none;
  };
  on_both([](caller& c) {
    int n = 0;
    for (const auto& [there, later, mode, kept, told] : std::vector<row>{
             {"nothing", false, "keep", 1},
             {"nothing", false, "check", 1},
             {"own", false, "keep", 1},
             {"own", false, "check", 1},
             {"own", true, "keep", 1},  // nobody has heard of it
             {"own", true, "check", 0},
             {"other", false, "keep", 1, word::to_two},
             {"other", false, "check", 1, word::to_two},
             {"other", true, "keep", 0},
             {"other", true, "check", 0},
             {"dead", false, "keep", 1},
             {"dead", true, "keep", 1},
             {"dead", true, "check", 1},
             {"held", false, "keep", 1},
             {"held", false, "check", 1},
             {"held", true, "keep", 0},
             {"held", true, "check", 0},
         }) {
      CAPTURE(there);
      CAPTURE(later);
      CAPTURE(mode);
      const auto name = "n" + std::to_string(n++);
      c.lease("one", "e1");
      c.lease("two", "e2");
      if (there != "nothing") {
        const std::string by = there == "own" ? "one" : there == "dead" ? "gone" : "two";
        CHECK(c.claim(by, by == "one" ? "e1" : "e2", name, "hash") == "new");
      }
      const auto stands = c.generation;
      if (there == "held") CHECK(c.release(name, stands, "60000") == 1);
      const auto which = later ? stands - 1 : stands + 1;
      CHECK(c.recover("one", "e1", name, which, mode) == kept);
      CHECK(c.host.heard("two") == (told == word::to_two ? words{lost(stands, name)} : words{}));
      CHECK(c.host.heard("one").empty());
      if (kept == 0) continue;
      CHECK(c.reaches(name));
      const auto got = c.host.heard("one");
      REQUIRE(got.size() == 1);
      CHECK(got[0].contains("D " + std::to_string(which) + " 3 4 x"));
      CHECK(c.claim("two", "e2", name, "fresh") == "taken");
      CHECK(c.claim("two", "e2", name, "fresh", "kept") == "back");
      CHECK(c.host.heard("one") == words{lost(which, name, "3 4")});
    }
  });
}

TEST_CASE("scripts: recover lets go of what this server left there, and of nobody else's") {
  on_both([](caller& c) {
    c.lease("one", "e1");
    c.lease("two", "e2");
    for (const std::string mode : {"0", "60000"}) {
      CAPTURE(mode);
      CHECK(c.recover("one", "e1", "nothing" + mode, 0, mode) == 1);
      CHECK_FALSE(c.reaches("nothing" + mode));
      CHECK(c.claim("two", "e2", "theirs" + mode, "hash") == "new");
      CHECK(c.recover("one", "e1", "theirs" + mode, 0, mode) == 1);
      CHECK(c.reaches("theirs" + mode));
      CHECK(c.claim("one", "e1", "mine" + mode, "hash") == "new");
      CHECK(c.recover("one", "e1", "mine" + mode, 0, mode) == 1);
      CHECK_FALSE(c.reaches("mine" + mode));
      CHECK(c.claim("two", "e2", "mine" + mode, "fresh") == (mode == "0" ? "new" : "taken"));
    }
    // Free is what only a secret opens that nobody was told.
    int n = 0;
    for (const auto& [untold, after] : {std::pair("", "taken"), std::pair("other", "taken"),
                                        std::pair("hash", "new"), std::pair("otherhash", "new")}) {
      CAPTURE(untold);
      const auto name = "untold" + std::to_string(n++);
      CHECK(c.claim("one", "e1", name, "hash") == "new");
      CHECK(c.recover("one", "e1", name, 0, "60000", untold) == 1);
      CHECK(c.claim("two", "e2", name, "fresh") == after);
    }
  });
}

TEST_CASE("scripts: as many as a member gives at once") {
  on_both([](caller& c) {
    c.lease("one", "e1");
    words names, arguments{"one", "e1"}, records;
    for (int n = 0; n < 256; ++n) {
      names.push_back("n" + std::to_string(n));
      for (const char* word : {"7", "1", "2", "hash", "keep"}) arguments.emplace_back(word);
    }
    const auto kept = c.run(cluster::recover_script(), names, arguments);
    REQUIRE(kept.items.size() == 256);
    for (const auto& r : kept.items) CHECK(r.integer == 1);
    names.resize(128);
    std::string all;
    for (int n = 0; n < 128; ++n) {
      records.push_back(std::to_string(n) + std::string(n == 0 ? 300'000 : 2048, 'x'));
      cluster::append_record(all, "D 7 1 2 " + records.back());
    }
    CHECK(c.route(names, records) == std::vector<int>(128, 1));
    std::string got;
    for (const auto& text : c.host.heard("one")) got += text;
    CHECK((got == all));
  });
}

}  // namespace
}  // namespace nat::test
