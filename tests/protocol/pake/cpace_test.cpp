#include "protocol/pake/cpace.hpp"

#include <memory>

#include "tests/check.hpp"

using namespace nat;
using namespace nat::pake;

namespace {

struct ends {
  test::seeded_random random{7};
  cpace a, b;
  explicit ends(std::string_view secret_a = "7-crossover-clockwork",
                std::string_view secret_b = "7-crossover-clockwork",
                std::string_view channel_a = "c", std::string_view channel_b = "c")
      : a(role::initiator, as_bytes(secret_a), as_bytes(channel_a), {}, random),
        b(role::responder, as_bytes(secret_b), as_bytes(channel_b), {}, random) {}

  void run() {
    const auto to_b = a.handle(b.start());
    const auto to_a = b.handle(a.start());
    REQUIRE(to_b);
    REQUIRE(to_a);
    CHECK_FALSE(b.handle(*to_b));
    CHECK_FALSE(a.handle(*to_a));
  }
};

}  // namespace

TEST_CASE("the same secret over the same channel confirms at both ends") {
  ends e;
  CHECK(e.a.state() == state::exchanging);
  e.run();
  CHECK(e.a.state() == state::confirmed);
  CHECK(e.b.state() == state::confirmed);
}

TEST_CASE("another secret, or another channel, fails at both ends and looks the same") {
  for (auto* make : {+[] { return new ends("right", "wrong"); },
                     +[] { return new ends("right", "right", "one", "two"); },
                     +[] { return new ends("", "x"); }}) {
    const std::unique_ptr<ends> e(make());
    e->run();
    CHECK(e->a.state() == state::failed);
    CHECK(e->b.state() == state::failed);
    CHECK(e->a.why() == failure::wrong_secret);
    CHECK(e->b.why() == failure::wrong_secret);
  }
}

TEST_CASE("a man in the middle who swaps fingerprints gets nothing") {
  const auto fp_a = bytes(32, std::byte{1}), fp_b = bytes(32, std::byte{2}),
             fp_m = bytes(32, std::byte{3});
  // He relays CPace faithfully; each end sees his certificate instead of the other's.
  const auto seen_by_a = channel_identifier({"alice", "bob", fp_a, fp_m});
  const auto seen_by_b = channel_identifier({"alice", "bob", fp_m, fp_b});
  ends e("s", "s", as_text(seen_by_a), as_text(seen_by_b));
  e.run();
  CHECK(e.a.why() == failure::wrong_secret);
  CHECK(e.b.why() == failure::wrong_secret);
}

TEST_CASE("the channel identifier has one reading") {
  const auto fp = bytes(32, std::byte{1});
  CHECK(channel_identifier({"ab", "c", fp, fp}) != channel_identifier({"a", "bc", fp, fp}));
  CHECK(channel_identifier({"a", "b", fp, fp}) != channel_identifier({"b", "a", fp, fp}));
}

TEST_CASE("our own share sent back is refused, and so is our own tag") {
  ends e;
  CHECK_FALSE(e.a.handle(e.a.start()));
  CHECK(e.a.why() == failure::reflected);

  ends f;
  const auto own_tag = f.a.handle(f.b.start());
  REQUIRE(own_tag);
  CHECK_FALSE(f.a.handle(*own_tag));
  CHECK(f.a.why() == failure::wrong_secret);
}

TEST_CASE("a share of another initiator does not make two initiators agree") {
  test::seeded_random random{9};
  cpace a(role::initiator, as_bytes("s"), as_bytes("c"), {}, random);
  cpace b(role::initiator, as_bytes("s"), as_bytes("c"), {}, random);
  const auto from_a = a.handle(b.start());
  const auto from_b = b.handle(a.start());
  REQUIRE(from_a);
  REQUIRE(from_b);
  CHECK_FALSE(a.handle(*from_b));
  CHECK_FALSE(b.handle(*from_a));
  CHECK(a.state() == state::failed);
  CHECK(b.state() == state::failed);
}

TEST_CASE("malformed, invalid and out-of-turn messages end the run without an answer") {
  const auto fails_with = [](byte_view message, failure why) {
    ends e;
    CHECK_FALSE(e.a.handle(message));
    CHECK(e.a.state() == state::failed);
    CHECK(e.a.why() == why);
    CHECK_FALSE(e.a.handle(e.b.start()));  // and it stays ended
    CHECK(e.a.state() == state::failed);
  };
  fails_with({}, failure::malformed);
  fails_with(bytes(cpace::confirmation_size, std::byte{2}), failure::malformed);
  bytes neutral(cpace::share_size);
  neutral[0] = std::byte{1};
  fails_with(neutral, failure::invalid_share);
  fails_with(bytes(cpace::share_size, std::byte{0xff}), failure::malformed);
  ends e;
  const auto good = e.b.start();
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    fails_with(byte_view(good).first(cut), failure::malformed);
  }
}

TEST_CASE("a second share and anything after confirmation ends the run") {
  ends e;
  REQUIRE(e.a.handle(e.b.start()));
  CHECK_FALSE(e.a.handle(e.b.start()));
  CHECK(e.a.why() == failure::malformed);

  ends f;
  f.run();
  CHECK_FALSE(f.a.handle(f.b.start()));
  CHECK(f.a.state() == state::failed);
}

TEST_CASE("shares tell nothing in common between runs with one secret") {
  ends e;
  CHECK(e.a.start() != e.b.start());
  test::seeded_random other{8};
  cpace again(role::initiator, as_bytes("7-crossover-clockwork"), as_bytes("c"), {}, other);
  CHECK(again.start() != e.a.start());
}
