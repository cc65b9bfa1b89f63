#include "tests/signaling/soak/public_host.hpp"

#include <signal.h>

#include <ctime>

#include "tests/check.hpp"
#include "tests/signaling/hub/switchboard.hpp"

namespace nat::test {

namespace {

std::string changing_token(unsigned n) {
  return "word-of-the-hour-" + std::to_string(n);
}

}  // namespace

public_host::public_host(bool with_tls) : tls_(with_tls), server(options()), taken(server) {}

std::vector<std::string> public_host::options() {
  write_secrets();
  ec_file_.write(ec_.public_pem);
  hmac_file_.write(hmac_secret_ + '\n');
  ::setenv("TURN_SECRET", turn_secret, 1);
  // The resume window is one that a busy machine does not come near.
  std::vector<std::string> out{"--threads",
                               "2",
                               "--resume-window",
                               "10",
                               "--messages-per-second",
                               "1000",
                               "--connections-per-second-per-address",
                               "10000",
                               "--relay-allow",
                               "127.0.0.6/31",
                               "--trusted-proxy",
                               proxy,
                               "--token-file",
                               tokens_file_.path(),
                               "--jwt-key",
                               ec_file_.path(),
                               "--jwt-key",
                               hmac_file_.path(),
                               "--jwt-audience",
                               "signal.example.net"};
  if (tls_) {
    out.insert(out.end(), {"--tls-cert", certificate_file_.path(), "--tls-key", key_file_.path()});
  }
  return out;
}

void public_host::write_secrets() {
  tokens_file_.write("word-of-the-good good-*\n" + std::string(inside_token) + " h* good-*\n" +
                     changing_token(changes_) + " visitor-*\n");
  certificate_file_.write(certificate_->certificate_pem());
  key_file_.write(certificate_->key_pem());
}

raw_client public_host::arrive(const way_in& how) const {
  constexpr auto tcp_only = raw_client::start::tcp_only;
  auto c = tls_ ? raw_client(server.websocket, tls_settings{}, tcp_only, how.from.c_str())
                : raw_client(server.websocket, how.from.c_str(), tcp_only);
  if (how.upgraded) {
    c.upgrade(how.forwarded_for.empty() ? "" : "X-Forwarded-For: " + how.forwarded_for + "\r\n");
  }
  return c;
}

std::string public_host::claims(const std::string& name, std::int64_t expires_in) const {
  return R"({"aud":"signal.example.net","sub":")" + name + R"(","exp":)" +
         std::to_string(std::time(nullptr) + expires_in) + '}';
}

std::string public_host::good_token(unsigned kind) const {
  if (kind % 3 == 0) return "word-of-the-good";
  if (kind % 3 == 1) return signed_token(JWT_ALG_ES256, ec_.private_pem, claims("good-*"));
  return signed_token(JWT_ALG_HS256, hmac_secret_, claims("good-*"));
}

void public_host::visit() const {
  auto visitor = arrive({.from = proxy, .forwarded_for = "198.51.100.1"});
  visitor.join("visitor-" + std::to_string(changes_), token_member(changing_token(changes_)));
  visitor.send_raw(close_frame(1000));
  visitor.read_close();
}

void public_host::change_secrets() {
  const auto before = changing_token(changes_++);
  certificate_ = std::make_unique<test_certificate>();
  write_secrets();
  server.signal(SIGHUP);
  server.wait_for(" reloaded");
  // By one address each time, or it would be taken for a guesser.
  auto late = arrive({.from = proxy,
                      .forwarded_for = "198.51." + std::to_string(changes_ / 250 % 250) + '.' +
                                       std::to_string(changes_ % 250)});
  late.say(R"({"type":"register","peer_id":"visitor-late")" + token_member(before) + '}');
  CHECK(field(late.hear(), "code") == "unauthorized");
  if (tls_) CHECK(late.shows(*certificate_));
  visit();
}

void public_host::end() {
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);  // a sanitizer's report makes it another status
  const auto said = server.last_words();
  CHECK_MESSAGE(!said.contains("Sanitizer"), said);
}

}  // namespace nat::test
