#pragma once

// A self-signed P-256 certificate for one run, and fingerprints of certificates (RFC 8122, 5).

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/bytes.hpp"

namespace nat::dtls {

// "sha-256" and 32 octets; what peers sign their offers with.
struct fingerprint {
  std::string algorithm;  // lower case, as in a=fingerprint
  bytes digest;
  bool operator==(const fingerprint&) const = default;
};
// "sha-256 AB:CD:…". Takes sha-256, sha-384 and sha-512.
[[nodiscard]] std::optional<fingerprint> parse_fingerprint(std::string_view attribute_value);
[[nodiscard]] std::string to_string(const fingerprint&);

class certificate {
 public:
  certificate();  // makes key and certificate
  ~certificate();
  certificate(certificate&&) noexcept;
  certificate& operator=(certificate&&) noexcept;

  [[nodiscard]] const dtls::fingerprint& fingerprint() const;

  struct handles;  // OpenSSL's, for the connection's body
  [[nodiscard]] const handles& native() const { return *handles_; }

 private:
  std::unique_ptr<handles> handles_;
};

}  // namespace nat::dtls
