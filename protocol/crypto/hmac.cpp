// OpenSSL's low-level digests, deprecated since 3.0 and still there. EVP allocates a context for
// each hash, even when one is kept for it (two for an HMAC), and takes twice as long for messages
// as short as STUN's. What is given up: a FIPS provider is not asked.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "protocol/crypto/hmac.hpp"

#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <algorithm>

#include "protocol/base/ensure.hpp"

namespace nat::crypto {
namespace {

// All three hashes work on blocks of 64 octets, which is what HMAC pads its key to.
constexpr std::size_t block_size = 64;

// One algorithm: its context, and the three functions that work on one.
template <class Context, class Digest, int (*Init)(Context*),
          int (*Update)(Context*, const void*, std::size_t), int (*Final)(unsigned char*, Context*)>
class hasher {
 public:
  using digest = Digest;

  hasher() noexcept { ensure(Init(&context_) == 1); }
  ~hasher() { OPENSSL_cleanse(&context_, sizeof context_); }
  hasher(const hasher&) = delete;
  hasher& operator=(const hasher&) = delete;

  void add(byte_view part) noexcept { ensure(Update(&context_, part.data(), part.size()) == 1); }
  [[nodiscard]] digest end() noexcept {
    digest out;
    ensure(Final(reinterpret_cast<unsigned char*>(out.data()), &context_) == 1);
    return out;
  }

 private:
  Context context_;
};

using sha1_hasher = hasher<SHA_CTX, sha1_digest, SHA1_Init, SHA1_Update, SHA1_Final>;
using sha256_hasher = hasher<SHA256_CTX, sha256_digest, SHA256_Init, SHA256_Update, SHA256_Final>;
using md5_hasher = hasher<MD5_CTX, md5_digest, MD5_Init, MD5_Update, MD5_Final>;

template <class Hasher>
typename Hasher::digest hash(std::initializer_list<byte_view> parts) noexcept {
  Hasher hasher;
  for (const auto part : parts) hasher.add(part);
  return hasher.end();
}

template <class Hasher>
typename Hasher::digest hmac(byte_view key, std::initializer_list<byte_view> parts) noexcept {
  std::array<std::byte, block_size> pad{};
  if (key.size() > block_size) {
    std::ranges::copy(hash<Hasher>({key}), pad.begin());
  } else {
    std::ranges::copy(key, pad.begin());
  }
  for (auto& octet : pad) octet ^= std::byte{0x36};
  Hasher inner;
  inner.add(pad);
  for (const auto part : parts) inner.add(part);
  for (auto& octet : pad) octet ^= std::byte{0x36 ^ 0x5c};
  Hasher outer;
  outer.add(pad);
  outer.add(inner.end());
  OPENSSL_cleanse(pad.data(), pad.size());
  return outer.end();
}

}  // namespace

sha1_digest hmac_sha1(byte_view key, std::initializer_list<byte_view> parts) noexcept {
  return hmac<sha1_hasher>(key, parts);
}

sha256_digest hmac_sha256(byte_view key, std::initializer_list<byte_view> parts) noexcept {
  return hmac<sha256_hasher>(key, parts);
}

sha1_digest sha1(std::initializer_list<byte_view> parts) noexcept {
  return hash<sha1_hasher>(parts);
}

sha256_digest sha256(std::initializer_list<byte_view> parts) noexcept {
  return hash<sha256_hasher>(parts);
}

md5_digest md5(std::initializer_list<byte_view> parts) noexcept {
  return hash<md5_hasher>(parts);
}

bool equal_constant_time(byte_view a, byte_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace nat::crypto
