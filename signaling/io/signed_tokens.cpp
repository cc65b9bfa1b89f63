#include "signaling/io/signed_tokens.hpp"

#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "protocol/base/freed_by.hpp"
#include "signaling/hub/access.hpp"

namespace nat::signaling::io {

namespace {

using nlohmann::json;
using token_ptr = std::unique_ptr<jwt_t, freed_by<jwt_free>>;
using text_ptr = std::unique_ptr<char, freed_by<std::free>>;

constexpr std::string_view white_space = " \t\r\n";

// Of times: what a double holds exactly, and far from where adding overflows.
constexpr double max_time = 9'007'199'254'740'992;

// Three parts of base64url. The library's C strings would end at a NUL, and its decoder skips what
// it does not know.
bool looks_signed(std::string_view token) noexcept {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  return token.size() <= hub::access::max_token_length && std::ranges::count(token, '.') == 2 &&
         token.find_first_not_of(alphabet) == token.npos;
}

// Without a key, nothing is verified: that is good for a look at the header only.
token_ptr decode(const std::string& token, const std::string* key) {
  jwt_t* out = nullptr;
  const int wrong =
      key ? jwt_decode(&out, token.c_str(), reinterpret_cast<const unsigned char*>(key->c_str()),
                       static_cast<int>(key->size()))
          : jwt_decode(&out, token.c_str(), nullptr, 0);
  token_ptr decoded(out);
  ERR_clear_error();  // a thread's errors are also read by its TLS connections
  return wrong == 0 ? std::move(decoded) : nullptr;
}

// "crit" names extensions that must be understood (RFC 7515, 4.1.11): none is, and the library does
// not look.
bool asks_for_more(jwt_t& token) {
  const text_ptr text(jwt_get_headers_json(&token, nullptr));
  if (!text) return true;
  const auto header = json::parse(text.get(), nullptr, false);
  return !header.is_object() || header.contains("crit");
}

std::optional<std::int64_t> time_in(const json& value) {
  if (!value.is_number()) return std::nullopt;
  const auto seconds = value.get<double>();
  if (!(seconds >= 0 && seconds <= max_time)) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

// A string or a list of strings; nullopt: anything else.
std::optional<std::vector<std::string>> strings_in(const json& value) {
  if (value.is_string()) return std::vector{value.get<std::string>()};
  if (!value.is_array() || value.size() > hub::access::max_patterns) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& each : value) {
    if (!each.is_string()) return std::nullopt;
    out.push_back(each.get<std::string>());
  }
  return out;
}

struct kind {
  jwt_alg_t algorithm = JWT_ALG_NONE;
  const char* wrong = nullptr;
};

kind kind_of(const EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "RSA")) {
    const int bits = EVP_PKEY_get_bits(&key);
    if (bits < signed_tokens::min_rsa_bits || bits > signed_tokens::max_rsa_bits) {
      return {.wrong = "an RSA key has 2048 to 8192 bits"};
    }
    return {JWT_ALG_RS256};
  }
  char curve[32]{};
  if (EVP_PKEY_is_a(&key, "EC") &&
      EVP_PKEY_get_utf8_string_param(&key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve,
                                     nullptr) == 1 &&
      std::string_view(curve) == "prime256v1") {
    return {JWT_ALG_ES256};
  }
  return {.wrong = "a public key is of RSA or of the curve P-256"};
}

kind kind_of_pem(const std::string& pem) {
  constexpr std::string_view begin = "-----BEGIN ";
  const auto first = pem.find(begin);
  if (pem.find(begin, first + 1) != pem.npos) return {.wrong = "there is more than one key in it"};
  if (pem.find("PRIVATE KEY-----", first) != pem.npos) {
    return {.wrong = "this is the private key: give the public one (openssl pkey -pubout)"};
  }
  const std::unique_ptr<BIO, freed_by<BIO_free>> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> key(
      PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return key ? kind_of(*key) : kind{.wrong = "there is no public key in PEM in it"};
}

// DER: a SubjectPublicKeyInfo, the RSAPublicKey of PKCS #1, a certificate.
bool is_public_der(std::string_view content) {
  const auto* const start = reinterpret_cast<const unsigned char*>(content.data());
  const auto size = static_cast<long>(content.size());
  const unsigned char *at = start, *at_rsa = start, *at_certificate = start;
  const std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> key(d2i_PUBKEY(nullptr, &at, size)),
      rsa(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at_rsa, size));
  const std::unique_ptr<X509, freed_by<X509_free>> certificate(
      d2i_X509(nullptr, &at_certificate, size));
  ERR_clear_error();
  return key || rsa || certificate;
}

// Base64 or base64url, white space aside; empty: it is neither.
std::string unbase64(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (white_space.contains(c)) continue;
    plain += c == '-' ? '+' : c == '_' ? '/' : c;
  }
  plain.erase(plain.find_last_not_of('=') + 1);
  const auto length = plain.size() * 3 / 4;
  plain.resize((plain.size() + 3) / 4 * 4, '=');
  std::string out(plain.size() / 4 * 3, '\0');
  const int made = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(plain.data()),
                                   static_cast<int>(plain.size()));
  ERR_clear_error();
  if (made < 0) return {};
  out.resize(length);
  return out;
}

// RFC 4253, 6.6: a string with the algorithm's name comes first; each has a '-' in it.
bool is_ssh_blob(std::string_view octets) {
  if (!octets.starts_with(std::string_view("\0\0\0", 3)) || octets.size() < 5) return false;
  const auto name = octets.substr(4, static_cast<unsigned char>(octets[3]));
  return name.starts_with("ssh-") || name.starts_with("ecdsa-") || name.starts_with("sk-");
}

// What base64 may hold.
bool is_public_octets(std::string_view octets) {
  return is_ssh_blob(octets) || octets.contains("-----BEGIN ") || is_public_der(octets);
}

// A public key in another format than PEM: as a secret, it would let everyone sign. JWK, DER,
// OpenSSH, SSH2 (RFC 4716), and the base64 within each of them alone.
bool is_public_key(std::string_view content) {
  const auto start = content.find_first_not_of(white_space);
  if (start != content.npos && content[start] == '{') return true;
  if (content.contains("---- BEGIN ")) return true;
  if (is_public_octets(content) || is_public_octets(unbase64(content))) return true;
  for (auto at = start; at != content.npos; at = content.find_first_not_of(white_space, at)) {
    const auto end = std::min(content.find_first_of(white_space, at), content.size());
    const auto word = content.substr(at, end - at);
    if (word.starts_with("ssh-") || word.starts_with("ecdsa-") || is_ssh_blob(unbase64(word))) {
      return true;
    }
    at = end;
  }
  return false;
}

}  // namespace

struct signed_tokens::key {
  jwt_alg_t algorithm;
  std::string content;  // PEM, or the secret
};

signed_tokens::signed_tokens(std::string audience, std::string names_claim)
    : audience_(std::move(audience)), names_claim_(std::move(names_claim)) {}

signed_tokens::~signed_tokens() = default;

std::optional<std::string> signed_tokens::add_key(std::string content) {
  if (keys_.size() == max_keys) return "there are more than 16 keys";
  if (content.size() > max_key_file) return "it is too long for a key";
  if (content.find("-----BEGIN ") != content.npos) {
    const auto found = kind_of_pem(content);
    if (found.wrong) return found.wrong;
    keys_.push_back({found.algorithm, std::move(content)});
    return std::nullopt;
  }
  if (is_public_key(content)) return "a public key is given in PEM (-----BEGIN PUBLIC KEY-----)";
  content.erase(content.find_last_not_of("\r\n") + 1);
  if (content.size() < min_secret) return "a secret has 32 octets or more (RFC 7518, 3.2)";
  keys_.push_back({JWT_ALG_HS256, std::move(content)});
  return std::nullopt;
}

std::optional<hub::token_claims> signed_tokens::verify(std::string_view token) const {
  if (!looks_signed(token)) return std::nullopt;
  const std::string text(token);
  const auto unverified = decode(text, nullptr);
  const char* claimed = unverified ? jwt_get_header(unverified.get(), "alg") : nullptr;
  if (!claimed || asks_for_more(*unverified)) return std::nullopt;
  const auto algorithm = jwt_str_alg(claimed);
  for (const auto& k : keys_) {
    // The library takes the algorithm from the header, so a key is shown to its own kind only.
    if (k.algorithm != algorithm) continue;
    const auto verified = decode(text, &k.content);
    if (!verified || jwt_get_alg(verified.get()) != k.algorithm) continue;
    const text_ptr claims(jwt_get_grants_json(verified.get(), nullptr));
    return claims ? claims_in(claims.get()) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<hub::token_claims> signed_tokens::claims_in(const std::string& text) const {
  const auto all = json::parse(text, nullptr, false);
  if (!all.is_object()) return std::nullopt;
  hub::token_claims out;
  const auto expires = time_in(all.value("exp", json()));
  if (!expires) return std::nullopt;
  out.expires = *expires;
  if (all.contains("nbf")) {
    const auto not_before = time_in(all["nbf"]);
    if (!not_before) return std::nullopt;
    out.not_before = *not_before;
  }
  const auto audience = strings_in(all.value("aud", json::array()));
  if (!audience) return std::nullopt;
  const bool for_us = audience_.empty()
                          ? !all.contains("aud")
                          : std::ranges::find(*audience, audience_) != audience->end();
  if (!for_us) return std::nullopt;
  auto names = strings_in(all.value(names_claim_, json::array()));
  if (!names) return std::nullopt;
  out.names = std::move(*names);
  std::erase_if(out.names,
                [](const auto& p) { return p.size() > hub::access::max_pattern_length; });
  return out;
}

}  // namespace nat::signaling::io
