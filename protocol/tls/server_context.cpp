#include "protocol/tls/server_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <utility>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/base/ensure.hpp"
#include "protocol/tls/handles.hpp"

namespace nat::tls {

namespace {

// AEADs with forward secrecy only; TLS 1.3 has no others.
constexpr char ciphers_of_1_2[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char ciphers_of_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
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

// Instead of asking at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

bio_ptr reader_of(std::string_view text) {
  bio_ptr bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  ensure(bio != nullptr);
  return bio;
}

context_ptr make_context() {
  context_ptr context{SSL_CTX_new(TLS_server_method())};
  ensure(context != nullptr);
  auto* c = context.get();
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_SINGLE_ECDH_USE |
                             SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection owns no record buffers.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  // Sessions live in the clients' tickets; one of them is enough for who comes back once.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 1);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  ensure(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(c, ciphers_of_1_2) == 1 &&
         SSL_CTX_set_ciphersuites(c, ciphers_of_1_3) == 1 &&
         SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1);
  return context;
}

std::string reason() {
  const char* words = ERR_reason_error_string(ERR_peek_last_error());
  return words ? words : "unknown error";
}

std::unexpected<std::string> failed(std::string what) {
  return std::unexpected(what + " (" + reason() + ')');
}

std::expected<void, std::string> use_certificates(SSL_CTX* context, std::string_view pem) {
  const auto in = reader_of(pem);
  const x509_ptr first{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)};
  if (!first) return failed("find a certificate in PEM there");
  if (SSL_CTX_use_certificate(context, first.get()) != 1) return failed("use the certificate");
  for (int i = 0; i < max_chain; ++i) {
    x509_ptr next{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)};
    if (!next) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) return {};  // the end
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
  out->context = make_context();
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
