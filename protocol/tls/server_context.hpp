#pragma once

// What all TLS connections of a server have in common: its certificate with the chain, its key, the
// rules, and the keys of its session tickets. Immutable once made, so any thread may use it, and
// its connections keep it alive.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/endpoint.hpp"

namespace nat::tls {

class server_context {
 public:
  // Both in PEM: the certificate first, then those that lead to a root; a key without a
  // passphrase. The error completes "failed to …".
  [[nodiscard]] static std::expected<server_context, std::string> make(
      std::string_view certificates, std::string_view key);
  ~server_context();
  server_context(server_context&&) noexcept;
  server_context& operator=(server_context&&) noexcept;

  // Whom the certificate is for (RFC 6125): by names without a wildcard, and by addresses.
  struct subject {
    std::vector<std::string> names;
    std::vector<address> addresses;
  };
  [[nodiscard]] subject is_for() const;
  // A client that wants this name accepts it (RFC 6125, 6.4), by a wildcard too.
  [[nodiscard]] bool covers(const std::string& name) const;

  // When it ends, in Unix time.
  [[nodiscard]] std::int64_t expires() const;

  struct handles;  // OpenSSL's, for the connection's body
  [[nodiscard]] const handles& native() const { return *handles_; }

 private:
  explicit server_context(std::unique_ptr<handles>);
  std::unique_ptr<handles> handles_;
};

}  // namespace nat::tls
