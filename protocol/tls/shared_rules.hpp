#pragma once

// What the contexts of both ends have in common. Internal to protocol/tls.

#include <expected>
#include <string>
#include <string_view>

#include "protocol/tls/handles.hpp"

namespace nat::tls {

// TLS 1.2 and 1.3, AEADs with forward secrecy, no renegotiation, no compression, no session cache.
[[nodiscard]] context_ptr make_context(const SSL_METHOD*);

// Over `pem`, which outlives it.
[[nodiscard]] bio_ptr reader_of(std::string_view pem);
// The next certificate there, or null: where ended() says so there are no more.
[[nodiscard]] x509_ptr read_certificate(BIO*);
[[nodiscard]] bool ended();
// OpenSSL's callback for a passphrase, instead of asking at the terminal.
int no_passphrase(char*, int, int, void*);
// `what`, and OpenSSL's reason.
[[nodiscard]] std::unexpected<std::string> failed(const std::string& what);

}  // namespace nat::tls
