#include "tests/check.hpp"

#include <algorithm>
#include <span>

#include "protocol/base/base64.hpp"
#include "signaling/hub/access.hpp"
#include "signaling/io/signed_tokens.hpp"
#include "tests/certificate.hpp"
#include "tests/signaling/io/signed_token_maker.hpp"

namespace nat::signaling::io {
namespace {

using namespace nat::test;
using verdict = hub::access::verdict;

const std::string secret = "a shared secret of 32 octets, or more";
const auto rsa = rsa_pair();
const auto ec = ec_pair();

// The policy of a server with these keys and the audience "here".
hub::access policy_of(const std::vector<std::string>& keys, std::string audience = "here",
                      std::string claim = "sub") {
  auto verifier = std::make_shared<signed_tokens>(std::move(audience), std::move(claim));
  for (const auto& key : keys) REQUIRE(verifier->add_key(key) == std::nullopt);
  seeded_random random;
  hub::access out(random);
  out.accept_signed(verifier);
  return out;
}

std::string claims(std::string_view more = R"("sub":"al")", std::string_view exp = "2000") {
  return R"({"aud":"here","exp":)" + std::string(exp) + ',' + std::string(more) + '}';
}

verdict verdict_on(const hub::access& policy, const std::string& token, std::int64_t now = 1000,
                   std::string_view name = "al") {
  return policy.check(name, token, now);
}

TEST_CASE("each key takes its own algorithm's tokens") {
  const auto policy = policy_of({secret + "\n", rsa.public_pem, ec.public_pem});
  CHECK(verdict_on(policy, signed_token(JWT_ALG_HS256, secret, claims())) == verdict::granted);
  CHECK(verdict_on(policy, signed_token(JWT_ALG_RS256, rsa.private_pem, claims())) ==
        verdict::granted);
  CHECK(verdict_on(policy, signed_token(JWT_ALG_ES256, ec.private_pem, claims())) ==
        verdict::granted);
}

TEST_CASE("one of several keys of a kind: the next one is there before the last one goes") {
  const auto next = rsa_pair();
  const auto policy = policy_of({rsa.public_pem, next.public_pem});
  for (const auto& key : {rsa, next}) {
    CHECK(verdict_on(policy, signed_token(JWT_ALG_RS256, key.private_pem, claims())) ==
          verdict::granted);
  }
  CHECK(verdict_on(policy, signed_token(JWT_ALG_RS256, rsa_pair().private_pem, claims())) ==
        verdict::wrong_token);
}

TEST_CASE("no algorithm but the key's, whatever the header says") {
  const auto policy = policy_of({rsa.public_pem, ec.public_pem});
  const auto wrong = [&](const std::string& token) {
    return verdict_on(policy, token) == verdict::wrong_token;
  };
  SUBCASE("none, however it is spelled") {
    for (const char* none : {"none", "None", "NONE", "nOnE", ""}) {
      const auto header = R"({"alg":")" + std::string(none) + R"(","typ":"JWT"})";
      CHECK(wrong(handmade_token(header, claims(), "")));
      CHECK(wrong(handmade_token(header, claims(), secret)));
    }
    CHECK(wrong(handmade_token(R"({"typ":"JWT"})", claims(), "")));
    CHECK(wrong(handmade_token("{}", claims(), "")));
  }
  SUBCASE("HS256 with a public key as the secret") {
    const auto header = R"({"alg":"HS256","typ":"JWT"})";
    for (const auto& pem : {rsa.public_pem, ec.public_pem}) {
      CHECK(wrong(handmade_token(header, claims(), pem)));
      CHECK(wrong(handmade_token(header, claims(), pem.substr(0, pem.size() - 1))));
    }
  }
  SUBCASE("longer hashes of the same keys") {
    CHECK(wrong(signed_token(JWT_ALG_RS384, rsa.private_pem, claims())));
    CHECK(wrong(signed_token(JWT_ALG_RS512, rsa.private_pem, claims())));
    CHECK(verdict_on(policy_of({secret}), signed_token(JWT_ALG_HS512, secret, claims())) ==
          verdict::wrong_token);
  }
  SUBCASE("a signature of one algorithm under the header of the other") {
    const auto by_rsa = signed_token(JWT_ALG_RS256, rsa.private_pem, claims());
    const auto header = base64url(R"({"alg":"ES256","typ":"JWT"})");
    CHECK(wrong(header + by_rsa.substr(by_rsa.find('.'))));
  }
}

TEST_CASE("a header that asks for extensions to be understood") {
  const auto policy = policy_of({secret});
  const auto under = [&](std::string_view more) {
    const auto header = R"({"alg":"HS256","typ":"JWT")" + std::string(more) + '}';
    return verdict_on(policy, handmade_token(header, claims(), secret));
  };
  CHECK(under("") == verdict::granted);
  CHECK(under(R"(,"kid":"2026")") == verdict::granted);
  for (const char* crit : {R"(["exp"])", R"(["b64"],"b64":false)", "[]", "null"}) {
    CHECK_MESSAGE(under(R"(,"crit":)" + std::string(crit)) == verdict::wrong_token, crit);
  }
}

TEST_CASE("times: expired, not yet valid, none at all, nonsense") {
  const auto policy = policy_of({secret});
  const auto token = [](std::string_view more, std::string_view exp = "2000") {
    return handmade_token(R"({"alg":"HS256","typ":"JWT"})", claims(more, exp), secret);
  };
  const auto plain = token(R"("sub":"al")");
  CHECK(verdict_on(policy, plain, 0) == verdict::granted);
  CHECK(verdict_on(policy, plain, 2009) == verdict::granted);
  CHECK(verdict_on(policy, plain, 2010) == verdict::untimely);
  CHECK(verdict_on(policy, plain, 9'000'000'000) == verdict::untimely);
  const auto later = token(R"("sub":"al","nbf":1500)");
  CHECK(verdict_on(policy, later, 1489) == verdict::untimely);
  CHECK(verdict_on(policy, later, 1490) == verdict::granted);
  CHECK(verdict_on(policy, token(R"("sub":"al","nbf":1500.75)"), 1490) == verdict::granted);
  for (const char* bad : {"\"2000\"", "null", "-1", "1e300", "[2000]", "true"}) {
    CHECK_MESSAGE(verdict_on(policy, token(R"("sub":"al")", bad)) == verdict::wrong_token, bad);
    CHECK_MESSAGE(verdict_on(policy, token(R"("sub":"al","nbf":)" + std::string(bad))) ==
                      verdict::wrong_token,
                  bad);
  }
  const auto header = R"({"alg":"HS256","typ":"JWT"})";
  CHECK(verdict_on(policy, handmade_token(header, R"({"aud":"here","sub":"al"})", secret)) ==
        verdict::wrong_token);
}

TEST_CASE("audience: ours, alone or among others; none asked for, none given") {
  const auto with = [](std::string_view audience) {
    const auto text = audience.empty() ? std::string() : R"("aud":)" + std::string(audience) + ',';
    return signed_token(JWT_ALG_HS256, secret, '{' + text + R"("exp":2000,"sub":"al"})");
  };
  const auto policy = policy_of({secret});
  CHECK(verdict_on(policy, with(R"("here")")) == verdict::granted);
  CHECK(verdict_on(policy, with(R"(["there","here"])")) == verdict::granted);
  for (const char* bad : {R"("there")", R"("heretic")", R"(["there"])", "[]", "7", R"(["here",7])",
                          R"({"here":1})", ""}) {
    CHECK_MESSAGE(verdict_on(policy, with(bad)) == verdict::wrong_token, bad);
  }
  const auto open = policy_of({secret}, "");
  CHECK(verdict_on(open, with("")) == verdict::granted);
  CHECK(verdict_on(open, with(R"("here")")) == verdict::wrong_token);
}

TEST_CASE("names: a string or a list, with stars; of no claim, none") {
  const auto policy = policy_of({secret});
  const auto as = [&](std::string_view name, std::string_view more, const hub::access& by) {
    return verdict_on(by, signed_token(JWT_ALG_HS256, secret, claims(more)), 1000, name);
  };
  CHECK(as("bob", R"("sub":"al")", policy) == verdict::wrong_name);
  CHECK(as("al.phone", R"("sub":"al.*")", policy) == verdict::granted);
  CHECK(as("bob", R"("sub":["al","b*"])", policy) == verdict::granted);
  CHECK(as("carol", R"("sub":["al","b*"])", policy) == verdict::wrong_name);
  CHECK(as("al", R"("sub":[])", policy) == verdict::wrong_name);
  CHECK(as("al", R"("name":"al")", policy) == verdict::wrong_name);
  CHECK(as("al", R"("sub":7)", policy) == verdict::wrong_token);
  CHECK(as("al", R"("sub":["al",{}])", policy) == verdict::wrong_token);
  CHECK(as("al", R"("sub":")" + std::string(65, '*') + '"', policy) == verdict::wrong_name);
  const auto other = policy_of({secret}, "here", "https://example.net/names");
  CHECK(as("al", R"("sub":"x","https://example.net/names":["al"])", other) == verdict::granted);
  CHECK(as("al", R"("sub":"al")", other) == verdict::wrong_name);
}

TEST_CASE("cut, changed, huge or no token at all") {
  const auto policy = policy_of({secret, rsa.public_pem, ec.public_pem});
  for (const auto& good : {signed_token(JWT_ALG_HS256, secret, claims()),
                           signed_token(JWT_ALG_ES256, ec.private_pem, claims())}) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      CHECK(verdict_on(policy, good.substr(0, size)) == verdict::wrong_token);
    }
    for (std::size_t i = 0; i < good.size(); ++i) {
      // The last character of a part holds bits that belong to no octet.
      if (i + 1 == good.size() || good[i + 1] == '.' || good[i] == '.') continue;
      auto changed = good;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      CHECK_MESSAGE(verdict_on(policy, changed) == verdict::wrong_token, i);
    }
    for (const std::string_view junk : {".", "x.y.z", "=", " ", "\n"}) {
      CHECK(verdict_on(policy, good + std::string(junk)) == verdict::wrong_token);
    }
    CHECK(verdict_on(policy, good + std::string("\0x", 2)) == verdict::wrong_token);
  }
  for (const std::string_view junk : {"", ".", "..", "...", "a.b.c", "e30.e30.e30", "bnVsbA..",
                                      "eyJhbGciOiJIUzI1NiJ9..", "eyJhbGciOjd9.e30."}) {
    CHECK_MESSAGE(verdict_on(policy, std::string(junk)) == verdict::wrong_token, junk);
  }
  const auto header = R"({"alg":"HS256","typ":"JWT"})";
  const auto padded = [&](std::size_t size) {
    return handmade_token(header, claims(R"("sub":"al","x":")" + std::string(size, 'x') + '"'),
                          secret);
  };
  CHECK(verdict_on(policy, padded(2900)) == verdict::granted);
  CHECK(verdict_on(policy, padded(3100)) == verdict::wrong_token);
  CHECK(verdict_on(policy, padded(100'000)) == verdict::wrong_token);
  CHECK(verdict_on(policy, handmade_token(header, std::string(2900, '['), secret)) ==
        verdict::wrong_token);
  CHECK(verdict_on(policy, handmade_token(header, "[]", secret)) == verdict::wrong_token);
}

// What the armour holds.
std::string der_of(const std::string& pem) {
  const std::unique_ptr<BIO, freed_by<BIO_free>> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char *name = nullptr, *header = nullptr;
  unsigned char* octets = nullptr;
  long size = 0;
  REQUIRE(PEM_read_bio(in.get(), &name, &header, &octets, &size) == 1);
  std::string out(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(octets);
  return out;
}

// The same key as an RSAPublicKey (RFC 8017, A.1.1).
std::string pkcs1_of(const std::string& pem) {
  const auto info = der_of(pem);
  const auto* at = reinterpret_cast<const unsigned char*>(info.data());
  const pkey_ptr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(info.size())));
  REQUIRE(key);
  std::string out(static_cast<std::size_t>(i2d_PublicKey(key.get(), nullptr)), '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  i2d_PublicKey(key.get(), &to);
  return out;
}

// On one line, on lines of 64, and as base64url without its end.
std::vector<std::string> in_base64(const std::string& octets) {
  const auto line = to_base64(as_bytes(octets));
  auto lines = line, url = line;
  for (std::size_t at = 64; at < lines.size(); at += 65) lines.insert(at, "\n");
  url.erase(url.find_last_not_of('=') + 1);
  std::ranges::replace(url, '+', '-');
  std::ranges::replace(url, '/', '_');
  return {line, lines, url};
}

TEST_CASE("what is no key is refused without showing it") {
  signed_tokens tokens("", "sub");
  const auto refusal = [&](std::string content) {
    const auto wrong = tokens.add_key(std::move(content));
    return wrong.value_or("");
  };
  CHECK(refusal("short secret\n") == "a secret has 32 octets or more (RFC 7518, 3.2)");
  CHECK(refusal(std::string(31, 's') + "\r\n").contains("32 octets"));
  CHECK(refusal("") != "");
  CHECK(refusal(std::string(20'000, 's')) == "it is too long for a key");
  for (const auto& pair : {rsa, ec}) {
    CHECK(refusal(pair.private_pem).contains("private key"));
    CHECK(refusal(pair.public_pem + pair.public_pem) == "there is more than one key in it");
  }
  CHECK(refusal("-----BEGIN PUBLIC KEY-----\nbm8=\n-----END PUBLIC KEY-----\n")
            .contains("no public key"));
  CHECK(refusal(rsa_pair(1024).public_pem).contains("2048"));
  CHECK(refusal(ec_pair("P-384").public_pem).contains("P-256"));
  // A public key that would be taken for a secret.
  const std::string rest(64, 'A');
  CHECK(refusal(R"({"kty":"EC","crv":"P-256","x":")" + rest + "\"}").contains("PEM"));
  for (const auto* start : {"ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-nistp256 ", "no-pty ssh-rsa ",
                            "\nssh-rsa ", "---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\n"}) {
    CHECK_MESSAGE(refusal(start + rest + '\n').contains("PEM"), start);
  }
  const test_certificate certificate;
  CHECK(refusal(certificate.certificate_pem()).contains("no public key in PEM"));
  for (const auto& der : {der_of(certificate.certificate_pem()), der_of(rsa.public_pem),
                          der_of(ec.public_pem), pkcs1_of(rsa.public_pem)}) {
    REQUIRE(der.size() >= signed_tokens::min_secret);
    CHECK(refusal(der).contains("PEM"));
    for (const auto& text : in_base64(der)) CHECK_MESSAGE(refusal(text).contains("PEM"), text);
  }
  for (const std::string name :
       {"ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519", "sk-ssh-ed25519@openssh.com"}) {
    const std::string length{'\0', '\0', '\0', static_cast<char>(name.size())};
    for (const auto& text : in_base64(length + name + std::string(length) + rest)) {
      CHECK_MESSAGE(refusal(text).contains("PEM"), name);
      CHECK_MESSAGE(refusal("cert-authority x-" + name + ' ' + text + " al@host\n").contains("PEM"),
                    name);
    }
  }
  for (const auto& text : in_base64(rsa.public_pem)) CHECK(refusal(text).contains("PEM"));
  // Base64 as such is none.
  seeded_random random{11};
  std::string random_secret(48, '\0');
  random.fill(std::as_writable_bytes(std::span(random_secret)));
  CHECK(refusal(in_base64(random_secret)[0] + '\n') == "");
  for (std::size_t i = 1; i < signed_tokens::max_keys; ++i) {
    CHECK(refusal(std::string(32, static_cast<char>('a' + i))) == "");
  }
  CHECK(refusal(std::string(32, 'z')) == "there are more than 16 keys");
}

}  // namespace
}  // namespace nat::signaling::io
