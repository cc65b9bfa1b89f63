// Who may register, at the real server, by signed tokens.

#include <signal.h>

#include <chrono>
#include <ctime>

#include "tests/attempts.hpp"
#include "tests/check.hpp"
#include "tests/scratch_file.hpp"
#include "tests/signaling/hub/switchboard.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"
#include "tests/signaling/io/signed_token_maker.hpp"

namespace nat::test {
namespace {

std::string claims_of(std::string_view names, std::int64_t expires_in = 600) {
  return R"({"aud":"signal.example.net","sub":)" + std::string(names) + R"(,"exp":)" +
         std::to_string(std::time(nullptr) + expires_in) + '}';
}

// "registered", or the error's code.
std::string register_as(const server_process& server, std::string_view name, std::string_view token,
                        std::string_view forwarded_for = {}) {
  raw_client c(server.websocket, raw_client::start::tcp_only);
  c.upgrade(forwarded_for.empty() ? "" : "X-Forwarded-For: " + std::string(forwarded_for) + "\r\n");
  c.say(R"({"type":"register","peer_id":")" + std::string(name) + R"(","token":")" +
        std::string(token) + "\"}");
  const auto answer = c.hear();
  return answer.contains("\"registered\"") ? "registered" : field(answer, "code");
}

TEST_CASE("signed tokens beside static ones; keys are read again at SIGHUP") {
  const auto rsa = rsa_pair(), ec = ec_pair(), next = ec_pair();
  const scratch_file tokens("tokens"), rsa_file("rsa"), ec_file("ec");
  tokens.write("open-sesame\n");
  rsa_file.write(rsa.public_pem);
  ec_file.write(ec.public_pem);
  server_process server({"--token-file", tokens.path(), "--jwt-key", rsa_file.path(), "--jwt-key",
                         ec_file.path(), "--jwt-audience", "signal.example.net"});
  const auto by_ec = [](const key_pair& key, std::string_view names, std::int64_t expires_in) {
    return signed_token(JWT_ALG_ES256, key.private_pem, claims_of(names, expires_in));
  };
  CHECK(register_as(server, "al", "open-sesame") == "registered");
  CHECK(register_as(server, "bob",
                    signed_token(JWT_ALG_RS256, rsa.private_pem, claims_of(R"("bob")"))) ==
        "registered");
  CHECK(register_as(server, "robot-7", by_ec(ec, R"(["carol","robot-*"])", 600)) == "registered");
  CHECK(register_as(server, "dave", by_ec(ec, R"(["carol","robot-*"])", 600)) == "unauthorized");
  CHECK(register_as(server, "dave", by_ec(ec, R"("dave")", -600)) == "unauthorized");
  CHECK(register_as(server, "dave", by_ec(next, R"("dave")", 600)) == "unauthorized");
  ec_file.write(next.public_pem);
  server.signal(SIGHUP);
  server.wait_for(" reloaded");
  CHECK(register_as(server, "dave", by_ec(ec, R"("dave")", 600)) == "unauthorized");
  CHECK(register_as(server, "dave", by_ec(next, R"("dave")", 600)) == "registered");
  ec_file.write(next.private_pem);
  server.signal(SIGHUP);
  server.wait_for("give the public one (openssl pkey -pubout)");
  CHECK(register_as(server, "erin", by_ec(next, R"("erin")", 600)) == "registered");
}

TEST_CASE("who guesses is no longer listened to, his /64 with him, nobody else") {
  const std::string secret(40, 's');
  const scratch_file key("hmac");
  key.write(secret + "\n");
  server_process server({"--jwt-key", key.path(), "--jwt-audience", "signal.example.net",
                         "--trusted-proxy", "127.0.0.1", "--threads", "2"});
  const auto good = signed_token(JWT_ALG_HS256, secret, claims_of(R"(["al","bob"])"));
  const auto forged = signed_token(JWT_ALG_HS256, std::string(40, 'x'), claims_of(R"("al")"));
  int guesses = 0, guessers = 0;
  attempt([&] {
    const auto site = "2001:db8:1:" + std::to_string(++guessers) + ':';
    const auto began = std::chrono::steady_clock::now();
    for (int i = 1; i <= 10; ++i, ++guesses) {
      CHECK(register_as(server, "al", forged, site + ':' + std::to_string(i)) == "unauthorized");
    }
    // On whichever loop he lands.
    for (int i = 0; i < 10; ++i) {
      const auto answer = register_as(server, "al", good, site + "ffff::1");
      if (std::chrono::steady_clock::now() - began >= std::chrono::seconds(10)) {
        throw spoiled{"ten seconds have passed, for which a guesser is listened to once more"};
      }
      CHECK(answer == "rate-limited");
    }
  });
  CHECK(register_as(server, "bob", good, "2001:db8:1:9::1") == "registered");
  CHECK(metric(server.admin, "signaling_registrations_denied_total") == guesses);
}

TEST_CASE("keys that can't be used end the start with one line and status 2") {
  const scratch_file key("bad_key");
  key.write("too short\n");
  const auto check = [](std::vector<std::string> arguments, std::string_view expected) {
    arguments.insert(arguments.begin(), "--check-config");
    const auto ended = run_server(std::move(arguments));
    CHECK(ended.status == 2);
    CHECK_MESSAGE(ended.errors.contains(expected), ended.errors);
    CHECK(ended.errors.find('\n') == ended.errors.size() - 1);
  };
  check({"--jwt-key", key.path()}, key.path() + ": a secret has 32 octets or more");
  check({"--jwt-key", "/nonexistent"}, "/nonexistent");
  check({"--jwt-audience", "x"}, "--jwt-key");
  check({"--jwt-names-claim", "x"}, "--jwt-key");
}

}  // namespace
}  // namespace nat::test
