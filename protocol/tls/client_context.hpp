#pragma once

// What all TLS connections to one server have in common: whom its certificate must be for, and who
// must vouch for that. There is none that does not verify. Immutable once made, so any thread may
// use it, and its connections keep it alive. Left out on purpose: certificates of clients, sessions
// that are taken up again.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nat::tls {

class client_context {
 public:
  // `server` is a host name, or an address without brackets (RFC 9525, 6.3 and 6.5: of the
  // certificate only subjectAltName counts). `trusted`: certificates in PEM, of which each may
  // stand at the end of a chain, be it a root or not; without, the system's roots. The error
  // completes "failed to …".
  [[nodiscard]] static std::expected<client_context, std::string> make(
      const std::string& server, std::optional<std::string_view> trusted);
  ~client_context();
  client_context(client_context&&) noexcept;
  client_context& operator=(client_context&&) noexcept;

  struct handles;  // OpenSSL's, for the connection's body
  [[nodiscard]] const handles& native() const { return *handles_; }

 private:
  explicit client_context(std::unique_ptr<handles>);
  std::unique_ptr<handles> handles_;
};

}  // namespace nat::tls
