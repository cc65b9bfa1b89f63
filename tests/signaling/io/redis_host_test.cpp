// Where the cluster's Redis is, by a resolver that answers when the test says so.

#include "signaling/io/redis_host.hpp"

#include "tests/check.hpp"

namespace nat::test {
namespace {

using cluster::line;

const address first = make_v4(0xc0000201), second = make_v4(0xc0000202),
              third = make_v4(0xc0000203);

class resolver {
 public:
  explicit resolver(const std::string& host = "redis")
      : place({.host = host, .port = 6379}, [this](const std::string& name, auto told) {
          CHECK(name == "redis");
          CHECK_FALSE(answer_);
          answer_ = std::move(told);
          ++asked;
        }) {}
  void find(line which) {
    auto& out = which == line::commands ? commands : inbox;
    out.clear();
    place.find(which, [&out](const auto& found) {
      out = found ? to_string(*found) : "not found: " + found.error();
    });
  }
  void answers(const std::vector<address>& found, const std::string& reason = {}) {
    REQUIRE(answer_);
    std::exchange(answer_, nullptr)(found, reason);
  }

  int asked = 0;
  std::string commands, inbox;  // what each was told; empty: nothing yet

 private:
  stun::io::name_lookup::result answer_;

 public:
  signaling::io::redis_host place;
};

TEST_CASE("an address needs no look-up") {
  resolver r("192.0.2.1");
  r.find(line::commands);
  r.find(line::inbox);
  CHECK(r.commands == "192.0.2.1:6379");
  CHECK(r.inbox == "192.0.2.1:6379");
  CHECK(r.asked == 0);
}

TEST_CASE("both connections wait for one look-up, and go to one address") {
  resolver r;
  r.find(line::commands);
  r.find(line::inbox);
  CHECK(r.asked == 1);
  CHECK(r.commands.empty());
  r.answers({first, second});
  CHECK(r.commands == "192.0.2.1:6379");
  CHECK(r.inbox == r.commands);
}

TEST_CASE("the next address is taken after a failure, and the one that was reached kept") {
  resolver r;
  r.find(line::commands);
  r.answers({first, second});
  r.find(line::commands);  // it was not reached
  CHECK(r.commands == "192.0.2.2:6379");
  r.place.reached();
  r.answers({first, second});
  r.find(line::commands);
  CHECK(r.commands == "192.0.2.2:6379");
  r.find(line::inbox);
  CHECK(r.inbox == "192.0.2.2:6379");
  r.answers({first, second});
  r.find(line::commands);
  CHECK(r.commands == "192.0.2.1:6379");
}

TEST_CASE("a Redis that moves is found with the try after the look-up") {
  resolver r;
  r.find(line::commands);
  r.answers({first});
  r.place.reached();
  r.find(line::commands);
  CHECK(r.commands == "192.0.2.1:6379");
  r.answers({third});
  r.find(line::inbox);  // where the commands went
  CHECK(r.inbox == "192.0.2.1:6379");
  r.find(line::commands);
  CHECK(r.commands == "192.0.2.3:6379");
}

TEST_CASE("a resolver that is slower than anybody waits, and one that is gone") {
  resolver r;
  for (int i = 0; i < 3; ++i) {
    r.find(line::commands);
    r.find(line::inbox);
    r.place.cancel(line::commands);
    r.place.cancel(line::inbox);
  }
  CHECK(r.asked == 1);
  r.answers({first});
  CHECK(r.commands.empty());
  r.find(line::commands);
  CHECK(r.commands == "192.0.2.1:6379");  // though the next look-up is not answered
  CHECK(r.asked == 2);
  r.answers({}, "no answer");
  r.find(line::commands);
  CHECK(r.commands == "192.0.2.1:6379");
}

TEST_CASE("a name that is not found is looked up again with the next try") {
  resolver r;
  for (int i = 0; i < 2; ++i) {
    r.find(line::commands);
    r.find(line::inbox);
    r.answers({}, "unknown");
    CHECK(r.commands.starts_with("not found: \"redis\" was not found (unknown): "));
    CHECK(r.inbox == r.commands);
  }
  r.find(line::inbox);
  r.answers({second});
  CHECK(r.inbox == "192.0.2.2:6379");
}

}  // namespace
}  // namespace nat::test
