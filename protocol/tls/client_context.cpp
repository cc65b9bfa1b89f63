#include "protocol/tls/client_context.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <utility>

#include "protocol/base/endpoint.hpp"
#include "protocol/tls/handles.hpp"
#include "protocol/tls/shared_rules.hpp"

namespace nat::tls {

namespace {

std::expected<void, std::string> trust(SSL_CTX* context, std::string_view pem) {
  const auto in = reader_of(pem);
  auto* store = SSL_CTX_get_cert_store(context);
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  for (bool any = false;; any = true) {
    const auto next = read_certificate(in.get());
    if (!next && any && ended()) return {};
    if (!next) return failed("read certificates in PEM there");
    if (X509_STORE_add_cert(store, next.get()) != 1) return failed("use a certificate there");
  }
}

}  // namespace

std::expected<client_context, std::string> client_context::make(
    const std::string& server, std::optional<std::string_view> trusted) {
  auto out = std::make_unique<handles>();
  out->context = make_context(TLS_client_method());
  auto* c = out->context.get();
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  auto* rules = SSL_CTX_get0_param(c);
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (parse_address(server)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, server.c_str()) != 1) {
      return std::unexpected("take \"" + server + "\" for an address");
    }
  } else {
    out->name = server;
    if (out->name.ends_with('.')) out->name.pop_back();  // RFC 6066, 3; no certificate has it
    // Without a name OpenSSL would ask for none, and a longer one can't be sent.
    if (out->name.empty() || out->name.size() > TLSEXT_MAXLEN_host_name ||
        X509_VERIFY_PARAM_set1_host(rules, out->name.data(), out->name.size()) != 1) {
      return std::unexpected("take \"" + server + "\" for the name of a host");
    }
  }
  ERR_clear_error();
  if (!trusted) {
    if (SSL_CTX_set_default_verify_paths(c) != 1) return failed("read the system's certificates");
  } else if (auto read = trust(c, *trusted); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return client_context(std::move(out));
}

client_context::client_context(std::unique_ptr<handles> h) : handles_(std::move(h)) {}
client_context::~client_context() = default;
client_context::client_context(client_context&&) noexcept = default;
client_context& client_context::operator=(client_context&&) noexcept = default;

}  // namespace nat::tls
