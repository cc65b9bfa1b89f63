#include "protocol/dtls/context.hpp"

#include <openssl/crypto.h>

#include "protocol/base/ensure.hpp"

namespace nat::dtls {
namespace {

// AEADs with forward secrecy only. AES-128-GCM first: in hardware everywhere that matters, and what
// browsers prefer. The RSA suites are for peers whose certificate is RSA; ours never is.
constexpr char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384";

int slot() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// Replaces chain building: self-signed certificates have no chain, validity or name to believe.
// X509_V_ERR_CERT_REJECTED becomes the alert bad_certificate.
int judge(X509_STORE_CTX* store, void*) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& expected = *static_cast<expectation*>(SSL_get_ex_data(ssl, slot()));
  const X509* x509 = X509_STORE_CTX_get0_cert(store);
  const auto shown = x509 ? fingerprint_of(x509, expected.remote.algorithm) : fingerprint{};
  const auto& wanted = expected.remote.digest;
  const bool same = !wanted.empty() && shown.digest.size() == wanted.size() &&
                    CRYPTO_memcmp(shown.digest.data(), wanted.data(), wanted.size()) == 0;
  expected.mismatch = !same;
  X509_STORE_CTX_set_error(store, same ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
  return same ? 1 : 0;
}

}  // namespace

context_ptr make_context(X509* own, EVP_PKEY* key) {
  context_ptr context{SSL_CTX_new(DTLS_method())};
  ensure(context != nullptr);
  auto* c = context.get();
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU |
                             SSL_OP_NO_COMPRESSION | SSL_OP_SINGLE_ECDH_USE |
                             SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(c, 1);  // a datagram's records are read together
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(c, judge, nullptr);
  ensure(SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(c, ciphers) == 1 &&
         SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1 &&
         SSL_CTX_use_certificate(c, own) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1);
  return context;
}

void expect(SSL* ssl, expectation& expected) {
  ensure(SSL_set_ex_data(ssl, slot(), &expected) == 1);
}

}  // namespace nat::dtls
