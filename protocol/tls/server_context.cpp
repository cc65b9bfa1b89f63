#include "protocol/tls/server_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <utility>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/tls/handles.hpp"
#include "protocol/tls/shared_rules.hpp"

namespace nat::tls {

namespace {

constexpr int max_chain = 16;  // certificates behind the first

// What a client may ask for by ALPN (RFC 7301, RFC 7443), as it stands on the wire.
constexpr unsigned char protocols[] = "\x08http/1.1\x09stun.turn";

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, size, protocols, sizeof protocols - 1, offered, offered_size);
  *out = chosen;
  // RFC 7301, 3.2: nothing in common is fatal. It keeps other protocols' traffic from being
  // carried here with our certificate.
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

context_ptr make_server_context() {
  auto context = make_context(TLS_server_method());
  auto* c = context.get();
  SSL_CTX_set_options(
      c, SSL_OP_SINGLE_ECDH_USE | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // Sessions live in the clients' tickets; one of them is enough for who comes back once.
  SSL_CTX_set_num_tickets(c, 1);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  return context;
}

std::expected<void, std::string> use_certificates(SSL_CTX* context, std::string_view pem) {
  const auto in = reader_of(pem);
  const auto first = read_certificate(in.get());
  if (!first) return failed("find a certificate in PEM there");
  if (SSL_CTX_use_certificate(context, first.get()) != 1) return failed("use the certificate");
  for (int i = 0; i < max_chain; ++i) {
    auto next = read_certificate(in.get());
    if (!next) {
      if (ended()) return {};
      return failed("read the certificates behind the first");
    }
    ensure(SSL_CTX_add0_chain_cert(context, next.release()) == 1);
  }
  return std::unexpected("use more than " + std::to_string(max_chain) +
                         " certificates behind the first");
}

}  // namespace

std::expected<server_context, std::string> server_context::make(std::string_view certificates,
                                                                std::string_view key) {
  auto out = std::make_unique<handles>();
  out->context = make_server_context();
  auto* c = out->context.get();
  ERR_clear_error();
  if (auto used = use_certificates(c, certificates); !used) {
    return std::unexpected(std::move(used.error()));
  }
  ERR_clear_error();
  const auto in = reader_of(key);
  const key_ptr own{PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr)};
  if (!own) return failed("find a private key in PEM, without a passphrase, there");
  if (SSL_CTX_use_PrivateKey(c, own.get()) != 1 || SSL_CTX_check_private_key(c) != 1) {
    return failed("use the key with this certificate");
  }
  return server_context(std::move(out));
}

server_context::subject server_context::is_for() const {
  const X509* own = SSL_CTX_get0_certificate(handles_->context.get());
  const std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(own, NID_subject_alt_name, nullptr, nullptr)));
  subject out;
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const auto* value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    const auto octets = std::as_bytes(std::span(
        ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))));
    if (name->type == GEN_DNS) {
      const auto text = as_text(octets);
      if (!text.contains('*')) out.names.emplace_back(text);
    } else if (octets.size() == 4) {
      out.addresses.push_back(make_v4(load_be<std::uint32_t>(octets)));
    } else if (octets.size() == 16) {
      out.addresses.push_back(make_v6(octets));
    }
  }
  return out;
}

bool server_context::covers(const std::string& name) const {
  X509* own = SSL_CTX_get0_certificate(handles_->context.get());
  return X509_check_host(own, name.data(), name.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                         nullptr) == 1;
}

std::int64_t server_context::expires() const {
  int days = 0, seconds = 0;
  const std::unique_ptr<ASN1_TIME, freed_by<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  ensure(epoch != nullptr);
  const X509* own = SSL_CTX_get0_certificate(handles_->context.get());
  // Of a time that is none, OpenSSL says so, and the certificate is as good as expired.
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(own)) != 1) return 0;
  return std::int64_t{days} * 86'400 + seconds;
}

server_context::server_context(std::unique_ptr<handles> h) : handles_(std::move(h)) {}
server_context::~server_context() = default;
server_context::server_context(server_context&&) noexcept = default;
server_context& server_context::operator=(server_context&&) noexcept = default;

}  // namespace nat::tls
