#pragma once

// OpenSSL's objects as owners. Internal to protocol/dtls.

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "protocol/base/freed_by.hpp"
#include "protocol/dtls/certificate.hpp"

namespace nat::dtls {

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using context_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freed_by<SSL_free>>;
using bio_method_ptr = std::unique_ptr<BIO_METHOD, freed_by<BIO_meth_free>>;

struct certificate::handles {
  key_ptr key;
  x509_ptr x509;
  context_ptr context;  // of all connections that show this certificate (context.hpp)
  dtls::fingerprint own;
};

// The digest of `x509` by the named algorithm; empty digest where the algorithm is not one we take.
[[nodiscard]] fingerprint fingerprint_of(const X509* x509, std::string_view algorithm);

}  // namespace nat::dtls
