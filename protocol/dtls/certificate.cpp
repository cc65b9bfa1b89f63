#include "protocol/dtls/certificate.hpp"

#include <openssl/rand.h>

#include "protocol/base/ensure.hpp"
#include "protocol/dtls/context.hpp"
#include "protocol/dtls/handles.hpp"

namespace nat::dtls {
namespace {

// What stands in it does not matter to peers, who compare the fingerprint alone (RFC 8122, 5):
// nothing tells whose it is. Valid from yesterday, since some stacks do look and clocks differ.
x509_ptr self_signed(EVP_PKEY* key) {
  x509_ptr x509{X509_new()};
  ensure(x509 != nullptr);
  std::uint32_t serial = 0;
  ensure(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  auto* name = X509_get_subject_name(x509.get());
  const bool made = X509_set_version(x509.get(), X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509.get()), serial | 1U) == 1 &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                               reinterpret_cast<const unsigned char*>("WebRTC"), -1,
                                               -1, 0) == 1 &&
                    X509_set_issuer_name(x509.get(), name) == 1 &&
                    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -86'400) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 30L * 86'400) != nullptr &&
                    X509_set_pubkey(x509.get(), key) == 1 &&
                    X509_sign(x509.get(), key, EVP_sha256()) > 0;
  ensure(made);
  return x509;
}

}  // namespace

certificate::certificate() : handles_(std::make_unique<handles>()) {
  handles_->key.reset(EVP_EC_gen("P-256"));
  ensure(handles_->key != nullptr);
  handles_->x509 = self_signed(handles_->key.get());
  handles_->context = make_context(handles_->x509.get(), handles_->key.get());
  handles_->own = fingerprint_of(handles_->x509.get(), "sha-256");
}

certificate::~certificate() = default;
certificate::certificate(certificate&&) noexcept = default;
certificate& certificate::operator=(certificate&&) noexcept = default;

const fingerprint& certificate::fingerprint() const {
  return handles_->own;
}

}  // namespace nat::dtls
