#include "signaling/hub/registry.hpp"

#include "tests/check.hpp"

namespace nat::hub {
namespace {

using namespace std::chrono_literals;

const address here = make_v4(0xc0000201);

struct fixture {
  limits l{};
  test::seeded_random random;
  registry names{l, random};
  time_point now{1h};

  std::expected<claimed, claim_error> claim(std::string_view name, std::uint32_t slot,
                                            std::optional<std::string> resume = {}) {
    return names.claim(name, resume, {0, slot, 0}, now);
  }
  std::optional<owner> whereabouts(std::string_view name, std::string_view by,
                                   std::uint64_t generation) {
    return names.find(name, by, generation).target;
  }
};

TEST_CASE_FIXTURE(fixture, "the first one has the name until it lets go") {
  const auto al = claim("al", 1);
  REQUIRE(al.has_value());
  CHECK(al->resume.size() >= 22);  // 128 bits
  CHECK_FALSE(claim("al", 2).has_value());
  CHECK(claim("bob", 3).has_value());
  names.release("al", al->generation, ending::clean, here, now);
  const auto next = claim("al", 2);
  REQUIRE(next.has_value());
  CHECK(next->generation > al->generation);
  CHECK(next->resume != al->resume);
  CHECK_FALSE(next->superseded.has_value());
  CHECK(names.live() == 2);
}

TEST_CASE_FIXTURE(fixture, "the resume secret takes a live name over, and the old owner is told") {
  const auto old = claim("al", 1);
  CHECK_FALSE(claim("al", 2, "guess").has_value());
  CHECK_FALSE(claim("al", 2, "").has_value());
  CHECK_FALSE(claim("al", 2, std::string(100'000, 'x')).has_value());
  const auto fresh = claim("al", 2, old->resume);
  REQUIRE(fresh.has_value());
  CHECK(fresh->resume == old->resume);
  CHECK(fresh->superseded == owner{0, 1, old->generation});
  CHECK(whereabouts("al", "al", fresh->generation) == owner{0, 2, fresh->generation});
  // The replaced connection speaks for nobody, and its end takes nothing away.
  CHECK_FALSE(names.find("al", "al", old->generation).sender_owns);
  names.release("al", old->generation, ending::clean, here, now);
  CHECK(names.find("al", "al", fresh->generation).sender_owns);
  CHECK(names.live() == 1);
}

TEST_CASE_FIXTURE(fixture, "after an unclean end a name is held for its owner, then free") {
  const auto al = claim("al", 1);
  const auto bob = claim("bob", 2);
  names.release("al", al->generation, ending::unclean, here, now);
  CHECK_FALSE(whereabouts("al", "bob", bob->generation).has_value());
  CHECK(names.held() == 1);
  now += 29s;
  CHECK_FALSE(claim("al", 3).has_value());
  SUBCASE("the owner comes back") {
    const auto back = claim("al", 3, al->resume);
    REQUIRE(back.has_value());
    CHECK_FALSE(back->superseded.has_value());
    CHECK(names.held() == 0);
    now += 1h;  // the old hold ends, the name does not
    CHECK_FALSE(claim("al", 4).has_value());
    CHECK(whereabouts("al", "bob", bob->generation).has_value());
  }
  SUBCASE("nobody comes") {
    now += 1s;
    CHECK(claim("al", 3).has_value());
    CHECK(names.held() == 0);
  }
}

TEST_CASE("held names are bounded, the oldest goes first, however often one comes and goes") {
  limits l;
  l.max_held_names = 3;
  test::seeded_random random;
  registry names(l, random);
  time_point now{1h};
  for (int i = 0; i < 10; ++i, now += 1ms) {
    const auto name = std::to_string(i);
    names.release(name, names.claim(name, {}, {}, now)->generation, ending::unclean, here, now);
    CHECK(names.held() <= 3);
  }
  CHECK(names.claim("6", {}, {}, now).has_value());
  CHECK_FALSE(names.claim("9", {}, {}, now).has_value());

  auto mine = *names.claim("flapping", {}, {}, now);
  for (int i = 0; i < 100; ++i, now += 1ms) {
    names.release("flapping", mine.generation, ending::unclean, here, now);
    const auto back = names.claim("flapping", mine.resume, {}, now);
    REQUIRE(back.has_value());
    mine = *back;
    CHECK(names.held() <= 3);
  }
}

TEST_CASE("whoever comes and goes fast pushes out names of its own site only") {
  test::seeded_random random;
  const limits l;
  registry names(l, random);
  const time_point now{1h};
  const auto lost = [&](const std::string& name, const address& from) {
    names.release(name, names.claim(name, {}, {}, now)->generation, ending::unclean, from, now);
  };
  lost("al", here);
  // A /64 is one site, whatever address of it is used.
  auto host = *parse_address("2001:db8::");
  for (std::uint32_t i = 0; i < 70'000; ++i) {
    host.octets[15] = static_cast<std::byte>(i & 0xff);
    lost("name-" + std::to_string(i), host);
  }
  CHECK(names.held() == 1 + l.max_held_names_per_address);
  CHECK_FALSE(names.claim("al", {}, {}, now).has_value());
  CHECK_FALSE(names.claim("name-69999", {}, {}, now).has_value());
  CHECK_FALSE(names.claim("name-68976", {}, {}, now).has_value());
  CHECK(names.claim("name-68975", {}, {}, now).has_value());
}

TEST_CASE("names that were taken back count no longer as held") {
  limits l;
  l.max_held_names = l.max_held_names_per_address = 3;
  test::seeded_random random;
  registry names(l, random);
  const time_point now{1h};
  const auto al = *names.claim("al", {}, {}, now);
  names.release("al", al.generation, ending::unclean, here, now);
  auto mine = *names.claim("flapping", {}, {}, now);
  for (int i = 0; i < 100; ++i) {
    names.release("flapping", mine.generation, ending::unclean, here, now);
    mine = *names.claim("flapping", mine.resume, {}, now);
  }
  CHECK_FALSE(names.claim("al", {}, {}, now).has_value());
  CHECK(names.claim("al", al.resume, {}, now).has_value());
}

TEST_CASE("a window of zero holds nothing") {
  limits l;
  l.resume_window = 0ms;
  test::seeded_random random;
  registry names(l, random);
  const time_point now{1h};
  names.release("al", names.claim("al", {}, {}, now)->generation, ending::unclean, here, now);
  CHECK(names.held() == 0);
  CHECK(names.claim("al", {}, {}, now).has_value());
}

TEST_CASE("SipHash-2-4, the vectors of its reference implementation") {
  const keyed_hash hash(0x0706050403020100, 0x0f0e0d0c0b0a0908);
  std::string input;
  for (char c = 0; c < 15; ++c) input += c;
  CHECK(hash("") == 0x726fdb47dd0e0e31);
  CHECK(hash(input.substr(0, 1)) == 0x74f839c593dc67fd);
  CHECK(hash(input.substr(0, 8)) == 0x93f5f5799a932462);
  CHECK(hash(input) == 0xa129ca6149be45e5);
}

}  // namespace
}  // namespace nat::hub
