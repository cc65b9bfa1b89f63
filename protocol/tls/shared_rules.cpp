#include "protocol/tls/shared_rules.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "protocol/base/ensure.hpp"

namespace nat::tls {

namespace {

// AEADs with forward secrecy only; TLS 1.3 has no others.
constexpr char ciphers_of_1_2[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char ciphers_of_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

}  // namespace

context_ptr make_context(const SSL_METHOD* method) {
  context_ptr context{SSL_CTX_new(method)};
  ensure(context != nullptr);
  auto* c = context.get();
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection owns no record buffers.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  ensure(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(c, ciphers_of_1_2) == 1 &&
         SSL_CTX_set_ciphersuites(c, ciphers_of_1_3) == 1 &&
         SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1);
  return context;
}

bio_ptr reader_of(std::string_view pem) {
  bio_ptr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  ensure(bio != nullptr);
  return bio;
}

x509_ptr read_certificate(BIO* in) {
  return x509_ptr{PEM_read_bio_X509(in, nullptr, no_passphrase, nullptr)};
}

bool ended() {
  return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::unexpected<std::string> failed(const std::string& what) {
  const char* words = ERR_reason_error_string(ERR_peek_last_error());
  return std::unexpected(what + " (" + (words ? words : "unknown error") + ')');
}

}  // namespace nat::tls
