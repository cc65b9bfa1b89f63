#include <algorithm>
#include <array>
#include <cctype>

#include "protocol/dtls/certificate.hpp"
#include "protocol/dtls/handles.hpp"

namespace nat::dtls {
namespace {

struct hash {
  std::string_view name;
  std::size_t octets;
  const EVP_MD* (*evp)();
};
// RFC 8122, 5: SHA-256 is the one everybody has; MD5 and SHA-1 prove nothing.
constexpr std::array hashes{hash{"sha-256", 32, EVP_sha256}, hash{"sha-384", 48, EVP_sha384},
                            hash{"sha-512", 64, EVP_sha512}};

const hash* find(std::string_view name) {
  const auto found = std::ranges::find(hashes, name, &hash::name);
  return found == hashes.end() ? nullptr : &*found;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::optional<fingerprint> parse_fingerprint(std::string_view text) {
  const auto blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  fingerprint out{std::string(text.substr(0, blank)), {}};
  std::ranges::transform(out.algorithm, out.algorithm.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* algorithm = find(out.algorithm);
  const auto digits = text.substr(blank + 1);
  if (!algorithm || digits.size() != algorithm->octets * 3 - 1) return std::nullopt;
  for (std::size_t i = 0; i < digits.size(); i += 3) {
    const int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
    const bool separated = i + 2 == digits.size() || digits[i + 2] == ':';
    if (high < 0 || low < 0 || !separated) return std::nullopt;
    out.digest.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

std::string to_string(const fingerprint& f) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out = f.algorithm + ' ';
  for (const auto octet : f.digest) {
    if (out.back() != ' ') out += ':';
    out += digits[std::to_integer<unsigned>(octet) >> 4];
    out += digits[std::to_integer<unsigned>(octet) & 15U];
  }
  return out;
}

fingerprint fingerprint_of(const X509* x509, std::string_view name) {
  fingerprint out{std::string(name), {}};
  const auto* algorithm = find(name);
  if (!algorithm) return out;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (X509_digest(x509, algorithm->evp(), digest.data(), &length) != 1) return out;
  out.digest = to_bytes(std::as_bytes(std::span(digest).first(length)));
  return out;
}

}  // namespace nat::dtls
