#pragma once

// OpenSSL's objects as owners. Internal to protocol/tls.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "protocol/base/freed_by.hpp"
#include "protocol/tls/client_context.hpp"
#include "protocol/tls/server_context.hpp"

namespace nat::tls {

using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using bio_method_ptr = std::unique_ptr<BIO_METHOD, freed_by<BIO_meth_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using context_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freed_by<SSL_free>>;

struct server_context::handles {
  context_ptr context;
};

struct client_context::handles {
  context_ptr context;
  std::string name{};  // the server's, where it is no address
};

}  // namespace nat::tls
