#pragma once

// A server as a public host runs it: STUN and TURN over UDP, TCP and (with a certificate) TLS,
// static and signed tokens, a trusted proxy in front for some; and who may come in, and how.

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "tests/certificate.hpp"
#include "tests/scratch_file.hpp"
#include "tests/signaling/io/raw_client.hpp"
#include "tests/signaling/io/server_process.hpp"
#include "tests/signaling/io/signed_token_maker.hpp"
#include "tests/signaling/soak/footprint.hpp"

namespace nat::test {

// From an address of 127/8; where that is the proxy's, for that client.
struct way_in {
  std::string from;
  std::string forwarded_for{};
  bool upgraded = true;
};

class public_host {
 public:
  static constexpr auto proxy = "127.0.0.8";
  // What is relayed to besides public addresses, for good clients and for others, and an address
  // where nothing may come.
  static constexpr auto good_peer = "127.0.0.7:0", hostile_peer = "127.0.0.6:0",
                        victim = "127.0.0.1:0";
  static constexpr auto turn_secret = "north";
  // Of misfits: they may have the names of good clients, too, if they get them.
  static constexpr auto inside_token = "word-of-insiders";

  explicit public_host(bool with_tls);

  [[nodiscard]] bool has_tls() const { return tls_; }
  [[nodiscard]] raw_client arrive(const way_in&) const;
  // For names `good-*`: static, by ES256 or by HS256.
  [[nodiscard]] std::string good_token(unsigned kind) const;
  [[nodiscard]] const std::string& hmac_secret() const { return hmac_secret_; }
  // ,"token":"…" for raw_client::join.
  [[nodiscard]] static std::string token_member(const std::string& token) {
    return R"(,"token":")" + token + '"';
  }

  // Changes a token and the certificate, sends SIGHUP, and sees that the change is there.
  void change_secrets();
  [[nodiscard]] unsigned changes() const { return changes_; }

  void visit() const;  // by somebody who comes and goes
  // SIGTERM; no sanitizer has said anything.
  void end();

  [[nodiscard]] std::string claims(const std::string& name, std::int64_t expires_in = 600) const;

 private:
  [[nodiscard]] std::vector<std::string> options();
  void write_secrets();

  bool tls_;
  key_pair ec_ = ec_pair();
  std::string hmac_secret_ = "a secret of 32 octets, or of more";
  std::unique_ptr<test_certificate> certificate_ = std::make_unique<test_certificate>();
  scratch_file tokens_file_{"soak-tokens"}, ec_file_{"soak-ec"}, hmac_file_{"soak-hmac"};
  scratch_file certificate_file_{"soak-certificate"}, key_file_{"soak-key"};
  std::atomic<unsigned> changes_ = 0;

 public:
  server_process server;
  footprint taken;
};

}  // namespace nat::test
