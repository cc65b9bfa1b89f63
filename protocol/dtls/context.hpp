#pragma once

// The SSL_CTX of all connections that show one certificate. OpenSSL 3 takes a good part of a
// handshake's time to make one, so it is made with the certificate, before anybody waits for it.
// Internal to protocol/dtls.

#include "protocol/dtls/handles.hpp"

namespace nat::dtls {

// What a connection's peer must show. It outlives the connection's SSL.
struct expectation {
  fingerprint remote;
  bool mismatch = false;
};

[[nodiscard]] context_ptr make_context(X509* own, EVP_PKEY* key);
// Judges the peer of `ssl`; without it nobody is accepted.
void expect(SSL* ssl, expectation& expected);

}  // namespace nat::dtls
