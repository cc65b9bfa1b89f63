#pragma once

// Key pairs, and tokens signed with them: by libjwt as an issuer would, or by hand as an attacker.

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/ensure.hpp"
#include "protocol/base/freed_by.hpp"
#include "protocol/crypto/hmac.hpp"

namespace nat::test {

struct key_pair {
  std::string private_pem, public_pem;
};

using pkey_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;

inline key_pair pair_of(pkey_ptr key) {
  const auto pem = [](auto write) {
    const std::unique_ptr<BIO, freed_by<BIO_free>> out(BIO_new(BIO_s_mem()));
    ensure(write(out.get()) == 1);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
  };
  return {pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          }),
          pem([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key.get()); })};
}
inline key_pair rsa_pair(unsigned bits = 2048) {
  return pair_of(pkey_ptr(EVP_RSA_gen(bits)));
}
inline key_pair ec_pair(const char* curve = "P-256") {
  return pair_of(pkey_ptr(EVP_EC_gen(curve)));
}

inline std::string base64url(std::string_view octets) {
  std::string out(4 * ((octets.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(octets.data()),
                                   static_cast<int>(octets.size()));
  out.resize(static_cast<std::size_t>(size));
  out.erase(out.find_last_not_of('=') + 1);
  for (auto& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

// By libjwt; `key` is the private key in PEM, or the secret.
inline std::string signed_token(jwt_alg_t algorithm, const std::string& key,
                                const std::string& claims) {
  jwt_t* made = nullptr;
  ensure(jwt_new(&made) == 0);
  const std::unique_ptr<jwt_t, freed_by<jwt_free>> token(made);
  ensure(jwt_add_grants_json(made, claims.c_str()) == 0);
  ensure(jwt_set_alg(made, algorithm, reinterpret_cast<const unsigned char*>(key.data()),
                     static_cast<int>(key.size())) == 0);
  const std::unique_ptr<char, freed_by<std::free>> text(jwt_encode_str(made));
  ensure(text != nullptr);
  return text.get();
}

// Header and claims as they are given, with an HMAC of any key (none: an empty signature).
inline std::string handmade_token(std::string_view header, std::string_view claims,
                                  std::string_view key) {
  const auto text = base64url(header) + '.' + base64url(claims);
  if (key.empty()) return text + '.';
  const auto mac = crypto::hmac_sha256(as_bytes(key), {as_bytes(text)});
  return text + '.' + base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

}  // namespace nat::test
