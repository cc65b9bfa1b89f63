#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/soak/hostile.hpp"

namespace nat::test {

namespace {

constexpr auto hs256 = R"({"alg":"HS256","typ":"JWT"})";

}  // namespace

std::vector<hostile_client::deed> hostile_guesser::deeds_of_a_round() {
  return {[this] { guesses_tokens(); }, [this] { breaks_signed_tokens(); },
          [this] { lies_about_its_address(); }, [this] { guesses_behind_the_proxy(); }};
}

// An address has ten guesses, then one in ten seconds: twenty guesses would all be listened to only
// if they took 100 s.
void hostile_guesser::try_all(const std::vector<std::string>& tokens, const way_in& how,
                              std::size_t& listened) {
  bool slowed_down = false;
  for (int i = 0; i < 20; ++i) {
    auto c = host_.arrive(how);
    c.say(R"({"type":"register","peer_id":"good-0-a")" +
          public_host::token_member(tokens[static_cast<std::size_t>(i) % tokens.size()]) + '}');
    const auto code = field(c.hear(), "code");
    CHECK((code == "unauthorized" || code == "rate-limited"));
    if (code == "unauthorized") ++listened;
    slowed_down = slowed_down || code == "rate-limited";
    if (below(2)) c.abort();
  }
  CHECK(slowed_down);
}

void hostile_guesser::guesses_tokens() {
  std::vector<std::string> tokens(20);
  for (auto& token : tokens) token = "guess-" + std::to_string(chance_());
  tokens.back() = std::string(4000, 'x');
  try_all(tokens, {.from = from_}, guesses_);
}

void hostile_guesser::breaks_signed_tokens() {
  const auto claims = host_.claims("good-*");
  const auto good = signed_token(JWT_ALG_HS256, host_.hmac_secret(), claims);
  auto flipped = good;
  auto& somewhere = flipped[below(flipped.size() - 1)];
  somewhere = somewhere == 'A' ? 'B' : 'A';
  try_all({handmade_token(R"({"alg":"none","typ":"JWT"})", claims, ""),
           handmade_token(hs256, claims, "another secret of 32 octets, or more"),
           handmade_token(R"({"alg":"ES256","typ":"JWT"})", claims, host_.hmac_secret()),
           handmade_token(hs256, host_.claims("good-*", -600), host_.hmac_secret()),
           handmade_token(hs256, host_.claims("h*"), host_.hmac_secret()),
           handmade_token(hs256, "{", host_.hmac_secret()),
           handmade_token(hs256, base64url(noise(500)), host_.hmac_secret()),
           base64url(noise(50)) + '.' + base64url(noise(500)) + '.' + base64url(noise(50)),
           beginning_of(good), flipped, "..", "eyJ.."},
          {.from = from_}, guesses_);
}

// Nobody asked the good ones' addresses to be believed from here.
void hostile_guesser::lies_about_its_address() {
  try_all({"guess-" + std::to_string(chance_())},
          {.from = from_, .forwarded_for = "203.0.113." + std::to_string(below(8))}, guesses_);
}

// The proxy appends whom it heard to what that one invented.
void hostile_guesser::guesses_behind_the_proxy() {
  try_all({"guess-" + std::to_string(chance_())},
          {.from = public_host::proxy,
           .forwarded_for = "203.0.113." + std::to_string(below(8)) + ", 192.0.2.66"},
          guesses_by_proxy_);
}

}  // namespace nat::test
