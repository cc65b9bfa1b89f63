#include "signaling/hub/access.hpp"

#include "signaling/hub/penalties.hpp"
#include "tests/signaling/hub/switchboard.hpp"

namespace nat::hub {
namespace {

using namespace std::chrono_literals;
using test::field;
using verdict = access::verdict;

access policy_of(std::string_view text) {
  test::seeded_random random;
  auto parsed = access::parse(text, random);
  REQUIRE(parsed.has_value());
  return std::move(*parsed);
}

std::string refusal_of(std::string_view text) {
  test::seeded_random random;
  const auto parsed = access::parse(text, random);
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error();
}

TEST_CASE("patterns") {
  for (const auto& [pattern, name] :
       std::vector<std::pair<const char*, const char*>>{{"a", "a"},
                                                        {"*", "anything"},
                                                        {"*", ""},
                                                        {"a*", "a"},
                                                        {"a*c", "abc"},
                                                        {"a*c", "acbc"},
                                                        {"*a*b*", "xxaxxbxx"},
                                                        {"**", "x"},
                                                        {"robot-*", "robot-17"},
                                                        {"*.lab", "x.y.lab"}}) {
    CHECK_MESSAGE(fits(pattern, name), pattern << ' ' << name);
  }
  for (const auto& [pattern, name] :
       std::vector<std::pair<const char*, const char*>>{{"a", "b"},
                                                        {"a", "ab"},
                                                        {"a", ""},
                                                        {"", "a"},
                                                        {"a*", "ba"},
                                                        {"a*c", "ab"},
                                                        {"*.lab", "lab"},
                                                        {"robot-*", "Robot-1"}}) {
    CHECK_FALSE_MESSAGE(fits(pattern, name), pattern << ' ' << name);
  }
}

TEST_CASE("tokens, for any name or for some") {
  const auto policy = policy_of("# comment\n\n open \r\nbots bot-* bot\nbots spare\nlast al");
  CHECK(policy.size() == 4);
  CHECK(policy.check("al", std::nullopt, 0) == verdict::no_token);
  CHECK(policy.check("al", "", 0) == verdict::wrong_token);
  CHECK(policy.check("al", "ope", 0) == verdict::wrong_token);
  CHECK(policy.check("al", "open ", 0) == verdict::wrong_token);
  CHECK(policy.check("al", "# comment", 0) == verdict::wrong_token);
  CHECK(policy.check("al", std::string(100'000, 'x'), 0) == verdict::wrong_token);
  CHECK(policy.check("al", "open", 0) == verdict::granted);
  CHECK(policy.check("bot-1", "bots", 0) == verdict::granted);
  CHECK(policy.check("spare", "bots", 0) == verdict::granted);
  CHECK(policy.check("al", "bots", 0) == verdict::wrong_name);
  CHECK(policy.check("al", "last", 0) == verdict::granted);
}

TEST_CASE("a file that says nothing sensible is refused by its line, without its tokens") {
  CHECK(refusal_of("") == "there is no token in it");
  CHECK(refusal_of("# only\n\n") == "there is no token in it");
  CHECK(refusal_of("ok\n" + std::string(5000, 's')) == "line 2: the token is too long");
  CHECK(refusal_of("secret " + std::string(65, 'x')) ==
        "line 1: a pattern is longer than any name");
  std::string many = "secret";
  for (int i = 0; i < 65; ++i) many += " x";
  CHECK(refusal_of(many) == "line 1: too many patterns");
}

TEST_CASE("failures from one place are slowed down, and forgotten with time") {
  test::seeded_random random;
  penalties p(random);
  time_point now{1h};
  const auto from = *parse_address("2001:db8::1"), neighbour = *parse_address("2001:db8::2"),
             other = *parse_address("2001:db8:1::1");
  for (int i = 0; i < 10; ++i) {
    CHECK(p.may_try(from, now));
    p.failed(from, now);
  }
  CHECK_FALSE(p.may_try(from, now));
  CHECK_FALSE(p.may_try(neighbour, now));
  CHECK(p.may_try(other, now));
  now += 10s;
  CHECK(p.may_try(from, now));
  p.failed(from, now);
  CHECK_FALSE(p.may_try(from, now));
  now += 101s;
  CHECK(p.may_try(from, now));
  p.failed(other, now);
  CHECK(p.size() == 1);
}

TEST_CASE("places are bounded, the one that failed longest ago goes first") {
  test::seeded_random random;
  penalties p(random);
  const time_point now{1h};
  constexpr std::uint32_t count = 3 * penalties::max_sites;
  for (std::uint32_t i = 0; i < count; ++i) {
    for (int failure = 0; failure < 10; ++failure) p.failed(make_v4(i), now);
  }
  CHECK(p.size() == penalties::max_sites);
  CHECK_FALSE(p.may_try(make_v4(count - 1), now));
  CHECK_FALSE(p.may_try(make_v4(count - penalties::max_sites), now));
  CHECK(p.may_try(make_v4(count - penalties::max_sites - 1), now));
}

TEST_CASE("the exchange asks for tokens, and stops listening to who guesses") {
  test::switchboard s({}, 2);
  const auto policy = std::make_shared<const access>(policy_of("open\nbots bot-*\n"));
  for (auto& e : s.exchanges) e->use_access(policy);
  std::uint32_t loop = 0;  // each attempt at the other one
  const auto attempt = [&](std::string_view name, std::string_view more) {
    const auto c = s.connect(loop ^= 1);
    s.say(c,
          R"({"type":"register","peer_id":")" + std::string(name) + '"' + std::string(more) + '}');
    const auto answer = s.heard(c);
    s.leave(c, ending::clean);
    return answer.contains("\"registered\"") ? "registered" : field(answer, "code");
  };
  for (int i = 0; i < 20; ++i) CHECK(attempt("al", "") == "unauthorized");
  CHECK(attempt("al", R"(,"token":"open")") == "registered");
  CHECK(attempt("bot-1", R"(,"token":"bots")") == "registered");
  for (int i = 0; i < 30; ++i) CHECK(attempt("al", R"(,"token":"bots")") == "unauthorized");
  CHECK(attempt("bot-1", R"(,"token":"bots")") == "registered");
  for (int i = 0; i < 10; ++i) CHECK(attempt("al", R"(,"token":"guess")") == "unauthorized");
  CHECK(attempt("al", R"(,"token":"open")") == "rate-limited");
  s.now += 10s;
  CHECK(attempt("al", R"(,"token":"open")") == "registered");
  CHECK(s.exchanges[0]->stats().unauthorized + s.exchanges[1]->stats().unauthorized == 40);
}

TEST_CASE("one connection has a signature looked at a few times only, whatever comes of it") {
  test::switchboard s;
  s.exchanges[0]->use_access(std::make_shared<const access>(policy_of("bots bot-*\n")));
  const auto ask = [&](test::client_id c, std::string_view name) {
    s.say(c, R"({"type":"register","peer_id":")" + std::string(name) + R"(","token":"bots"})");
    return s.heard(c);
  };
  CHECK(ask(s.connect(), "bot-1").contains("\"registered\""));
  for (const auto& [name, code] :
       {std::pair("al", "unauthorized"), std::pair("bot-1", "id-taken")}) {
    const auto c = s.connect();
    int looked_at = 0;
    for (int i = 0; i < 30; ++i) looked_at += field(ask(c, name), "code") == code ? 1 : 0;
    CHECK(looked_at >= 1);
    CHECK(looked_at <= 9);
  }
}

}  // namespace
}  // namespace nat::hub
