#pragma once

// A certificate made on the spot, and files that hold it and its key.

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "protocol/base/ensure.hpp"
#include "protocol/base/freed_by.hpp"

namespace nat::test {

// P-256, for "stun.test" and 127.0.0.1, signed by itself or by `issuer`. Its files go when it goes.
class test_certificate {
 public:
  explicit test_certificate(const char* alternative = "DNS:stun.test,IP:127.0.0.1",
                            const test_certificate* issuer = nullptr) {
    auto* x = cert_.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key_.get());
    auto* name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(issuer ? "issued" : "a test"),
                               -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer->cert_.get()) : name);
    add(NID_subject_alt_name, alternative);
    add(NID_basic_constraints, "critical,CA:TRUE");
    ensure(X509_sign(x, (issuer ? issuer : this)->key_.get(), EVP_sha256()) > 0);
    char path[] = "/tmp/nat-test-certificate-XXXXXX";
    ensure(::mkdtemp(path) != nullptr);
    folder_ = path;
    std::ofstream(file()) << certificate_pem();
    std::ofstream(key_file()) << key_pem();
  }
  ~test_certificate() { std::filesystem::remove_all(folder_); }
  test_certificate(const test_certificate&) = delete;
  test_certificate& operator=(const test_certificate&) = delete;

  [[nodiscard]] std::string file() const { return folder_ + "/certificate.pem"; }
  [[nodiscard]] std::string key_file() const { return folder_ + "/key.pem"; }
  [[nodiscard]] std::string certificate_pem() const {
    return pem([this](BIO* out) { return PEM_write_bio_X509(out, cert_.get()); });
  }
  [[nodiscard]] std::string key_pem() const {
    return pem([this](BIO* out) {
      return PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  void use_in(SSL_CTX* context) const {
    SSL_CTX_use_certificate(context, cert_.get());
    SSL_CTX_use_PrivateKey(context, key_.get());
  }
  // Whether `shown` is this certificate.
  [[nodiscard]] bool is(const X509* shown) const {
    return shown != nullptr && X509_cmp(shown, cert_.get()) == 0;
  }

 private:
  void add(int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert_.get(), cert_.get(), nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(cert_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <class Write>
  static std::string pem(Write write) {
    const std::unique_ptr<BIO, freed_by<BIO_free>> out(BIO_new(BIO_s_mem()));
    ensure(write(out.get()) == 1);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(size)};
  }
  std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> key_{EVP_EC_gen("P-256")};
  std::unique_ptr<X509, freed_by<X509_free>> cert_{X509_new()};
  std::string folder_;
};

}  // namespace nat::test
